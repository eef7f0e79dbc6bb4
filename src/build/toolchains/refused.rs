//! Why a request was refused: all that was tried, the versions that do exist, and what to do.
//!
//! Text for people only; nothing branches on it.

use super::range::nearest;
use super::registries::Registries;
use super::wire::{ProvideError, Request, Toolchain};

/// What every place said, for the one error at the end.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) reasons: Vec<String>,
    pub(super) known: Vec<String>,
    /// Some place had a version that would do, and yet it could not be fetched.
    pub(super) chosen: bool,
}

impl Refused {
    pub(super) fn explain(mut self, request: &Request, found: &Registries) -> ProvideError {
        let Request { toolchain, range, .. } = request;
        self.known.sort();
        self.known.dedup();
        let mut because = self.reasons;
        if !self.known.is_empty() && !self.chosen {
            because.push(format!("none of {} known versions meets it", self.known.len()));
        }
        let wants_npm = matches!(
            toolchain,
            Toolchain::Node | Toolchain::Npm | Toolchain::Yarn | Toolchain::Pnpm | Toolchain::Bun
        );
        let java = matches!(toolchain, Toolchain::Jdk | Toolchain::Jre);
        let wants_pypi = matches!(toolchain, Toolchain::Go | Toolchain::Deno | Toolchain::Uv);
        let hint = if wants_npm && found.npm.is_none() {
            because.push("this host has no npm whose registry could be asked".into());
            "on the server: apt-get install npm, or set NPM_CONFIG_REGISTRY for the daemon"
        } else if wants_pypi && found.pypi.is_none() {
            because.push("this host has no pip whose index could be asked".into());
            "on the server: apt-get install python3-pip, or set PIP_INDEX_URL for the daemon"
        } else if java {
            "take one of Debian's, which need no download: echo java.runtime.version=21 > \
             system.properties"
        } else if *toolchain == Toolchain::Ruby {
            "take Debian's, which needs no download: ruby \"~> 3.3\" in Gemfile, or echo 3.3 > .ruby-version"
        } else if *toolchain == Toolchain::Python {
            "take Debian's, which needs no download: echo 3.13 > .python-version, and fitting \
             requires-python in pyproject.toml if there is one"
        } else if self.known.is_empty() {
            "check the server's network: curl -I https://nodejs.org, and its proxy settings"
        } else {
            "ask for one of the nearest versions in the app's own version file"
        };
        let mut nearest = nearest(*toolchain, range, self.known.iter().map(String::as_str));
        if *toolchain == Toolchain::Python {
            nearest.insert(0, STACK_PYTHON.to_owned());
        }
        if *toolchain == Toolchain::Ruby {
            nearest.insert(0, DEBIAN_RUBY.to_owned());
        }
        if java {
            nearest.splice(0..0, DEBIAN_JAVA.map(str::to_owned));
        }
        ProvideError {
            what: format!("no {toolchain} {range} can be had"),
            because: because.join("; "),
            nearest,
            hint: hint.to_owned(),
        }
    }
}

pub(super) fn not_understood(request: &Request, because: &str) -> ProvideError {
    let shown: String = request.range.chars().filter(|c| !c.is_control()).take(64).collect();
    ProvideError {
        what: format!("{} version \"{shown}\" is not understood", request.toolchain),
        because: because.to_owned(),
        nearest: Vec::new(),
        hint: "write a version such as 20, ^20.1 or >=1.22 in the app's own version file".into(),
    }
}

/// The lines of Java that Debian 13 has.
const DEBIAN_JAVA: [&str; 2] = ["21", "25"];

/// The Python of Debian 13, which needs no toolchain at all.
const STACK_PYTHON: &str = "3.13";
const DEBIAN_RUBY: &str = "3.3.8";
