//! What runs in the container of a variant: install, clean up, and write what changed as a layer. Pure.
//!
//! What changed is what the kernel says: files whose inode changed after the start. Time stamps are
//! clamped and lists sorted, so the same packages give nearly the same bytes.

use std::collections::BTreeSet;

use buildpacks::packages::Package;

use crate::build::stack::KEPT_SOURCES;

/// What apt wrote on its standard error.
pub(super) const ERRORS: &str = "errors";
/// The names of all packages that there are, if one was not found.
pub(super) const NAMES: &str = "names";
/// The exit code that says that nobody knows a mirror.
pub(super) const NO_SOURCES: i64 = 3;

/// Where the packages come from.
#[derive(Debug)]
pub(super) struct Sources {
    /// apt's source list, where this machine knows a mirror of Debian's.
    pub(super) list: Option<String>,
    /// apt options of this machine: proxies, certificates, validity checks.
    pub(super) options: Vec<String>,
    /// The newest time stamp in the layer, in seconds since 1970.
    pub(super) epoch: i64,
}

/// The script, run as root by a shell. An image's own sources win, because a foreign base image is
/// of another release; ours has none, so that nothing of this machine stays in it.
pub(super) fn script(packages: &BTreeSet<Package>, sources: &Sources) -> String {
    let names = packages.iter().map(Package::as_str).collect::<Vec<_>>().join(" ");
    let options: String =
        sources.options.iter().flat_map(|option| [option.as_str(), ";\n"]).collect();
    let lend = match &sources.list {
        Some(list) => format!("cat > etc/apt/sources.list.d/paas.list <<'END'\n{list}END\n"),
        None => format!(
            "[ -d .{KEPT_SOURCES} ] || exit {NO_SOURCES}\ncp -a .{KEPT_SOURCES}/. etc/apt/\n"
        ),
    };
    let epoch = sources.epoch;
    format!(
        "{BEFORE}\nexport SOURCE_DATE_EPOCH={epoch}\n\
         if ! grep -qsE '^(deb |Types:)' etc/apt/sources.list etc/apt/sources.list.d/*; then\nlent=yes\n{lend}fi\n\
         cat > etc/apt/apt.conf.d/99paas <<'END'\n{APT}{options}END\n\
         set -- {names}\n{INSTALL}\n{AFTER}"
    )
}

/// What decides over the contents of a layer, besides the packages and the base.
pub(super) const PARTS: [&str; 4] = [BEFORE, APT, INSTALL, AFTER];

/// A container that cannot reach its mirror says so soon, and apt takes half an answer for none.
const APT: &str = "Acquire::Languages \"none\";
Acquire::Retries \"3\";
Acquire::http::Timeout \"10\";
Acquire::https::Timeout \"10\";
APT::Install-Recommends \"false\";
APT::Update::Error-Mode \"any\";
";

const BEFORE: &str = r#"set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
cd /
lent=
files() {
    find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
        -o -path ./out -o -path ./var/lib/apt/lists -o -path ./var/cache/apt \) -prune \
        -o ! -path . "$@" -print0 | LC_ALL=C sort -z
}
files > out/before
: > out/marker
printf '#!/bin/sh\nexit 101\n' > usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d"#;

const INSTALL: &str = r#"apt-get update
if ! apt-get install -y --no-install-recommends -- "$@" 2> out/errors; then
    apt-cache pkgnames > out/names
    cat out/errors >&2
    exit 1
fi"#;

/// Backups, logs and caches differ from run to run, so they go.
const AFTER: &str = r#"apt-get clean
rm -f etc/apt/apt.conf.d/99paas usr/sbin/policy-rc.d var/cache/ldconfig/aux-cache
[ -z "$lent" ] || rm -f etc/apt/sources.list etc/apt/sources.list.d/*
rm -f var/lib/dpkg/*-old var/cache/debconf/*-old
rm -f etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-
find var/log -type f -cnewer out/marker -delete
files -cnewer out/marker > out/changed
files > out/after
LC_ALL=C comm -z -23 out/before out/after > out/gone
tar --create --file=out/layer.tar --no-recursion --null --files-from=out/changed \
    --numeric-owner --clamp-mtime --mtime="@$SOURCE_DATE_EPOCH"
if [ -s out/gone ]; then
    bash -eu -c 'while IFS= read -r -d "" path; do
        [ -d "${path%/*}" ] || continue
        mkdir -p "out/whiteouts/${path%/*}"
        : > "out/whiteouts/${path%/*}/.wh.${path##*/}"
    done < out/gone'
    cd out/whiteouts
    find . -type f -print0 | LC_ALL=C sort -z | tar --append --file=/out/layer.tar --null \
        --files-from=- --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH"
fi
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_sources_and_options_are_lent_and_taken_back() {
        let packages = ["jq", "figlet=2.2.5-3"].map(|name| name.parse().unwrap()).into();
        let list = "deb [signed-by=/k.gpg] http://m.test/debian trixie main\n".to_owned();
        let options = vec!["Acquire::http::Proxy \"http://p.test\"".to_owned()];
        let text = script(&packages, &Sources { list: Some(list.clone()), options, epoch: 7 });
        assert!(text.contains("\nset -- figlet=2.2.5-3 jq\n"), "{text}");
        assert!(text.contains(&format!("<<'END'\n{list}END\nfi\n")), "{text}");
        assert!(text.contains("\nAcquire::http::Proxy \"http://p.test\";\nEND\n"), "{text}");
        let text = script(&packages, &Sources { list: None, options: Vec::new(), epoch: 7 });
        assert!(text.contains("cp -a ./usr/share/paas/apt/. etc/apt/\nfi\n"), "{text}");
    }
}
