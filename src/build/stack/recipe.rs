//! What the two root filesystems consist of. Pure.
//!
//! Small on purpose: the run image is what every app ships. Change anything here and the hash
//! changes, and with it every host makes its stack again.

use super::SUITE;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;

/// Where an image that was made of a registry's keeps that one's apt sources: nothing of this
/// machine, and the only ones where this machine is no Debian.
pub(crate) const KEPT_SOURCES: &str = "/usr/share/paas/apt";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavour {
    /// What apps run in.
    Run,
    /// What builds run in: the same, and compilers.
    Build,
}

impl Flavour {
    /// Its name in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Build => "build",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The packages beyond Debian's minimum, sorted.
pub fn packages(flavour: Flavour) -> Vec<&'static str> {
    let mut packages = RUN.to_vec();
    match flavour {
        Flavour::Run => {}
        Flavour::Build => packages.extend(BUILD),
    }
    packages.sort_unstable();
    packages
}

/// A shell script that makes a flavour inside a plain Debian 13 container, run as root with a
/// network: for hosts where a registry answers. The container's file system, exported, is then
/// one of the tars of [`super::Origin::Tars`]. Fails on any error, and in any other distribution.
/// `host` are apt options of this machine ([`super::host_options`]); they leave no trace.
pub fn container_script(flavour: Flavour, host: &[String]) -> String {
    let packages = packages(flavour).join(" ");
    let dpkg = DPKG.join("\n");
    let fixed = APT.iter().chain(&APT_IN_CONTAINER).map(|option| format!("{option};\n"));
    let apt: String = fixed.chain(host.iter().map(|option| format!("{option};\n"))).collect();
    // The images of registries lag behind Debian's security updates, hence the upgrade.
    format!(
        "set -eu\nexport DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8\n\
         VERSION_CODENAME=unknown\n[ ! -e /etc/os-release ] || . /etc/os-release\n\
         [ \"$VERSION_CODENAME\" = {SUITE} ] || {{ echo 'this image is not Debian {SUITE}'; exit 1; }}\n\
         cat > /etc/dpkg/dpkg.cfg.d/99paas <<'END'\n{dpkg}\nEND\n\
         cat > /etc/apt/apt.conf.d/99mmdebstrap <<'END'\n{apt}END\n\
         apt-get update\n\
         apt-get full-upgrade -y\n\
         apt-get install -y {packages}\n\
         apt-get clean\nrm -rf /var/lib/apt/lists/* /.dockerenv\n\
         mkdir -p {KEPT_SOURCES}\ncp -a /etc/apt/sources.list* {KEPT_SOURCES}/\nset -- /\n{FINISH}"
    )
}

/// The identity of both recipes, in hex.
pub(crate) fn hash() -> String {
    let mut hash = Sha256::new();
    for flavour in [Flavour::Run, Flavour::Build] {
        for text in [SUITE, flavour.name(), &packages(flavour).join(","), FINISH] {
            hash.update(text);
            hash.update([0]);
        }
    }
    for option in APT.iter().chain(&DPKG) {
        hash.update(option);
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

/// mmdebstrap's arguments. `host` are apt options of this machine; they leave no trace. Without
/// `sources` mmdebstrap takes Debian's own mirrors.
pub(crate) fn arguments(
    flavour: Flavour,
    host: &[String],
    sources: Option<&Path>,
    tar: &Path,
) -> Vec<String> {
    let mut args: Vec<String> =
        ["--mode=auto", "--variant=minbase", "--format=tar", "--components=main"]
            .map(str::to_owned)
            .to_vec();
    args.push(format!("--include={}", packages(flavour).join(",")));
    args.extend(APT.iter().map(|option| format!("--aptopt={option}")));
    args.extend(host.iter().map(|option| format!("--aptopt={option}")));
    args.extend(DPKG.iter().map(|option| format!("--dpkgopt={option}")));
    args.push(format!("--customize-hook={FINISH}"));
    args.push(SUITE.to_owned());
    args.push(tar.display().to_string());
    args.extend(sources.map(|sources| sources.display().to_string()));
    args
}

/// `libatomic1` and `libstdc++6` are for Node; `libpq5` because most apps talk to Postgres and
/// their drivers load it at run time; Python brings its whole standard library.
const RUN: [&str; 8] = [
    "bash",
    "ca-certificates",
    "libatomic1",
    "libpq5",
    "libstdc++6",
    "netbase",
    "python3",
    "tzdata",
];

/// What native npm and pip modules are compiled with, and what fetches, unpacks and reads: scripts
/// of other people's buildpacks take these tools for granted.
const BUILD: [&str; 24] = [
    "bzip2",
    "curl",
    "file",
    "g++",
    "gcc",
    "gettext-base",
    "git",
    "jq",
    "libc6-dev",
    "libffi-dev",
    "libpq-dev",
    "libssl-dev",
    "make",
    "patch",
    "pkg-config",
    "python3-dev",
    "python3-venv",
    "rsync",
    "unzip",
    "wget",
    "xz-utils",
    "zip",
    "zlib1g-dev",
    "zstd",
];

const APT: [&str; 3] =
    ["Acquire::Languages \"none\"", "Acquire::Retries \"3\"", "APT::Install-Recommends \"false\""];

/// A container that cannot reach its mirror says so soon, and apt takes half an answer for none.
const APT_IN_CONTAINER: [&str; 3] = [
    "Acquire::http::Timeout \"10\"",
    "Acquire::https::Timeout \"10\"",
    "APT::Update::Error-Mode \"any\"",
];

/// Manuals and translations are of no use to a program; licences stay.
const DPKG: [&str; 11] = [
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/bug/*",
    "path-exclude=/usr/bin/*-lto-dump*",
    "path-exclude=/usr/lib/python3*/config-*/*.a",
    "path-exclude=/usr/share/perl/*/pod/*",
];

/// Backups and logs differ from run to run, so they go too: the same packages give the same tar.
const FINISH: &str = r#"set -eu
root=$1
chroot "$root" groupadd --gid 1000 app
chroot "$root" useradd --uid 1000 --gid 1000 --home-dir /home/app --create-home --shell /bin/bash app
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
rm -rf "$root"/var/cache/ldconfig "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old
rm -f "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow-
rm -f "$root"/etc/subuid- "$root"/etc/subgid-
find "$root"/var/log -type f -delete
: > "$root"/etc/resolv.conf
: > "$root"/etc/hostname
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_can_do_all_that_a_run_can() {
        let build = packages(Flavour::Build);
        assert!(packages(Flavour::Run).iter().all(|package| build.contains(package)));
        assert!(build.is_sorted());
    }

    #[test]
    fn a_container_gets_the_options_of_the_host_in_a_file_that_goes() {
        let host = ["Acquire::http::Proxy \"http://proxy.test\"".to_owned()];
        let script = container_script(Flavour::Run, &host);
        assert!(
            script.contains("\nAcquire::http::Proxy \"http://proxy.test\";\nEND\n"),
            "{script}"
        );
        let (written, removed) = ("/apt.conf.d/99mmdebstrap <<", "/apt.conf.d/99mmdebstrap\n");
        assert!(script.find(written) < script.find(removed), "{script}");
    }

    #[test]
    fn arguments_end_with_suite_tar_and_sources() {
        let host = ["Acquire::http::Proxy \"http://proxy.test\"".to_owned()];
        let args = arguments(Flavour::Run, &host, Some(Path::new("/x.list")), Path::new("/x.tar"));
        let tail: Vec<_> = args.iter().rev().take(3).rev().map(String::as_str).collect();
        assert_eq!(tail, ["trixie", "/x.tar", "/x.list"]);
        assert!(args.contains(&"--aptopt=Acquire::http::Proxy \"http://proxy.test\"".to_owned()));
        assert!(!hash().is_empty());
    }
}
