//! Where toolchains may come from: the official sites, a mirror of them, and the host's own
//! package registries.
//!
//! Settings only; nothing here is contacted. No registry's name is written in this program: npm
//! and pip are asked for theirs (`registries`), so that a host behind a mirror uses its mirror.

use std::path::PathBuf;

/// Where one package registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Ask the host's own npm or pip, when it is first needed.
    Host,
    /// This address.
    At(String),
    /// There is none.
    Absent,
}

/// Every place that may be asked, in the order of `Toolchains::provide`.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Node's releases: `index.json` and `vX/SHASUMS256.txt` lie below.
    pub node: String,
    /// Go's downloads: `?mode=json` and the archives lie below.
    pub go: String,
    /// Deno's downloads: `release/vX/` lies below.
    pub deno: String,
    /// The list of Deno's versions, a file.
    pub deno_versions: String,
    /// Temurin's API: `info/release_versions` and `assets/` lie below.
    pub java: String,
    /// uv's releases: `latest/download/` and `download/X/` lie below.
    pub uv: String,
    /// Portable Pythons: `latest-release.json` lies below.
    pub python: String,
    /// Portable Rubies: `releases?per_page=100`, as GitHub's API answers, lies below.
    pub ruby: String,
    /// Rust's distribution server: `channel-rust-X.toml` and the archives lie below.
    pub rust: String,
    /// The npm registry.
    pub npm: Address,
    /// The Python package index (its `simple` address).
    pub pypi: Address,
    /// The certificates that the host trusts, if they lie in one file.
    pub ca_bundle: Option<PathBuf>,
}

impl Sources {
    /// The official sites, and the host's registries after them.
    pub fn official() -> Self {
        Self {
            node: "https://nodejs.org/dist".into(),
            go: "https://go.dev/dl".into(),
            deno: "https://dl.deno.land".into(),
            deno_versions: "https://deno.com/versions.json".into(),
            java: "https://api.adoptium.net/v3".into(),
            uv: "https://github.com/astral-sh/uv/releases".into(),
            python:
                "https://raw.githubusercontent.com/astral-sh/python-build-standalone/latest-release"
                    .into(),
            ruby: "https://api.github.com/repos/jdx/ruby".into(),
            rust: "https://static.rust-lang.org/dist".into(),
            npm: Address::Host,
            pypi: Address::Host,
            ca_bundle: ca_bundle(),
        }
    }

    /// A mirror of the official sites (`node/`, `go/`, `deno/`, `java/`, `uv/`, `python/`, `ruby/` and
    /// `rust/` below it) in their place; the registries stay.
    #[must_use]
    pub fn mirrored(self, mirror: &str) -> Self {
        let below = |name: &str| format!("{}/{name}", mirror.trim_end_matches('/'));
        Self {
            node: below("node"),
            go: below("go"),
            deno: below("deno"),
            deno_versions: below("deno/versions.json"),
            java: below("java"),
            uv: below("uv"),
            python: below("python"),
            ruby: below("ruby"),
            rust: below("rust"),
            ..self
        }
    }
}

/// The host's bundle of trusted certificates, where the distributions keep it.
fn ca_bundle() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    named.into_iter().chain(usual.map(PathBuf::from)).find(|path| path.is_file())
}
