//! Debian packages that an app needs beyond what the base images have, and how they are asked for:
//! a requirement of the build plan called `apt`, which anybody's buildpack may write.
//!
//! Not here: who installs them. Invariant: without any there is no requirement at all.

use std::collections::BTreeSet;

use serde::Serialize;

/// What is to be installed, by name, each optionally followed by `=version`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Packages {
    /// Into the image that the app runs in.
    pub(crate) run: BTreeSet<String>,
    /// Into the image that it is built in.
    pub(crate) build: BTreeSet<String>,
}

impl Packages {
    /// These when it runs, and these while it is built.
    pub(crate) fn new<'a>(
        run: impl IntoIterator<Item = &'a str>,
        build: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let run = run.into_iter().map(str::to_owned).collect();
        Self { run, build: build.into_iter().map(str::to_owned).collect() }
    }

    /// The text of the build plan that asks for them.
    pub(crate) fn plan(&self) -> Result<String, toml::ser::Error> {
        if *self == Self::default() {
            return Ok(String::new());
        }
        toml::to_string(&Plan { requires: [Requirement { name: APT, metadata: self }] })
    }
}

#[derive(Serialize)]
struct Plan<'a> {
    requires: [Requirement<'a>; 1],
}

#[derive(Serialize)]
struct Requirement<'a> {
    name: &'a str,
    metadata: &'a Packages,
}

/// The dependency that `paas/apt` provides.
pub(crate) const APT: &str = "apt";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_a_requirement_and_none_are_nothing() {
        let plan = Packages::new(["libvips42t64"], ["libvips-dev", "figlet"]).plan().unwrap();
        let expected = "[[requires]]\nname = \"apt\"\n\n[requires.metadata]\n\
            run = [\"libvips42t64\"]\nbuild = [\"figlet\", \"libvips-dev\"]\n";
        assert_eq!(plan, expected);
        assert_eq!(Packages::default().plan().unwrap(), "");
    }
}
