//! What a build asks and what it is answered: one JSON line each way.
//!
//! Plain data; the other end of the socket is `buildpacks`, which has the same shapes. Unknown
//! fields and unknown names are refused, because hostile build code can write here too.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A toolchain that a build can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Toolchain {
    /// Node with its `npm` and `npx`.
    Node,
    /// An `npm` of another version than the one that came with Node.
    Npm,
    /// A whole GOROOT.
    Go,
    /// rustc, cargo and the standard library.
    Rust,
    /// uv, which installs Python packages.
    Uv,
    /// Yarn, classic or modern.
    Yarn,
    /// pnpm.
    Pnpm,
    /// Bun: a runtime and a package manager in one program.
    Bun,
    /// Deno: a runtime and a package manager in one program.
    Deno,
    /// A whole Java development kit.
    Jdk,
    /// Only what runs Java programs.
    Jre,
    /// A portable Python, for ranges that the stack's own Python does not meet.
    Python,
    /// A portable Ruby, for ranges that Debian's does not meet.
    Ruby,
}

impl Toolchain {
    /// The name on the wire and in folder names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Npm => "npm",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Uv => "uv",
            Self::Yarn => "yarn",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
            Self::Deno => "deno",
            Self::Jdk => "jdk",
            Self::Jre => "jre",
            Self::Python => "python",
            Self::Ruby => "ruby",
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a range is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// npm's ranges (`^20`, `>=18 <23`), and `lts/*` or `lts/iron` as `.nvmrc` writes them.
    Npm,
    /// This version; a shorter one (`1.22`, `3.12`) means the newest of its line.
    Exact,
    /// This version or any newer one, as go.mod's `go` line means it. The newest is taken.
    Minimum,
    /// Python's specifiers (`>=3.9,<3.13`, `~=3.11`, `==3.12.*`).
    Pep440,
}

/// A build's question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What is asked for.
    pub toolchain: Toolchain,
    /// Which versions would do, as written in the app's own files.
    pub range: String,
    /// How to read `range`.
    pub scheme: Scheme,
}

/// A toolchain that is on the shelf, whole and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// The version that was chosen.
    pub version: String,
    /// Its folder on the host.
    pub path: PathBuf,
}

/// Why there is no toolchain for a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {because}")]
pub struct ProvideError {
    /// What failed.
    pub what: String,
    /// Because of what: every place that was asked, and what it said.
    pub because: String,
    /// Versions that do exist and lie nearest, nearest first.
    pub nearest: Vec<String>,
    /// What the person can do about it.
    pub hint: String,
}

/// The answer on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// There it is.
    Provided {
        /// The version that was chosen.
        version: String,
        /// Its folder, as seen inside the build container.
        path: String,
    },
    /// There is none.
    Refused {
        /// What failed.
        error: String,
        /// Because of what.
        because: String,
        /// Versions that do exist, nearest first.
        nearest: Vec<String>,
        /// What to do.
        hint: String,
    },
}

impl From<ProvideError> for Reply {
    fn from(error: ProvideError) -> Self {
        let ProvideError { what, because, nearest, hint } = error;
        Self::Refused { error: what, because, nearest, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other end is compiled into the same binary, and may still speak otherwise.
    #[test]
    fn understands_all_that_buildpacks_say() {
        use buildpacks::toolchain as theirs;
        for toolchain in [
            "node", "npm", "go", "uv", "yarn", "pnpm", "bun", "deno", "jdk", "jre", "python",
            "ruby", "rust",
        ] {
            for scheme in [
                theirs::Scheme::Exact,
                theirs::Scheme::Npm,
                theirs::Scheme::Pep440,
                theirs::Scheme::Minimum,
            ] {
                let range = "1.22".to_owned();
                let asked = theirs::Request { toolchain: toolchain.to_owned(), range, scheme };
                let line = serde_json::to_string(&asked).unwrap();
                let heard: Request = serde_json::from_str(&line).unwrap();
                assert_eq!(serde_json::to_string(&heard).unwrap(), line);
            }
        }
        let refused = Reply::Refused {
            error: "no node 99".into(),
            because: "it is not out yet".into(),
            nearest: vec!["26.10.0".into()],
            hint: "ask for 26".into(),
        };
        let line = serde_json::to_string(&refused).unwrap();
        let heard: theirs::Reply = serde_json::from_str(&line).unwrap();
        let theirs::Reply::Refused(refusal) = heard else { panic!("{line}") };
        assert_eq!((refusal.because.as_str(), refusal.nearest.len()), ("it is not out yet", 1));
    }

    #[test]
    fn speaks_the_agreed_lines() {
        let line = r#"{"toolchain":"node","range":"^20","scheme":"npm"}"#;
        let request: Request = serde_json::from_str(line).unwrap();
        assert_eq!(request.toolchain, Toolchain::Node);
        assert_eq!(serde_json::to_string(&request).unwrap(), line);
        let reply = Reply::Provided { version: "20.20.2".into(), path: "/toolchains/x".into() };
        let line = r#"{"version":"20.20.2","path":"/toolchains/x"}"#;
        assert_eq!(serde_json::to_string(&reply).unwrap(), line);
        assert!(
            serde_json::from_str::<Request>(r#"{"toolchain":"cobol","range":"3","scheme":"npm"}"#)
                .is_err()
        );
    }
}
