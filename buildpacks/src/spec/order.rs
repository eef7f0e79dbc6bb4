//! `order.toml` and `system.toml`: which groups of buildpacks to try, in which order, and what
//! goes with every group.

use std::cmp::Ordering;

use serde::Deserialize;

use super::BuildpackId;

/// The groups, in the order in which they are tried.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Order {
    #[serde(default)]
    pub(crate) order: Vec<Group>,
    /// Image extensions that go before every group.
    #[serde(default, rename = "order-extensions")]
    pub(crate) extensions: Vec<Group>,
}

/// What a place in a group is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It makes layers.
    #[default]
    Buildpack,
    /// It extends the base images.
    Extension,
}

/// Buildpacks that are tried together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Group {
    #[serde(default)]
    pub(crate) group: Vec<Element>,
}

/// One place in a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Element {
    pub(crate) id: BuildpackId,
    /// Absent where the order leaves the choice to what is installed.
    #[serde(default)]
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
    /// Execution environments (Platform API 0.15); empty means any.
    #[serde(default, rename = "exec-env")]
    pub(crate) exec_env: Vec<String>,
    /// Which of the two lists it stood in.
    #[serde(skip)]
    pub(crate) kind: Kind,
    /// It goes with any group, so that a group does not pass by it alone.
    #[serde(skip)]
    pub(crate) beside: bool,
}

impl Element {
    /// A required place for a buildpack.
    pub(crate) fn new(id: BuildpackId, version: Option<String>) -> Self {
        Self {
            id,
            version,
            optional: false,
            exec_env: Vec::new(),
            kind: Kind::Buildpack,
            beside: false,
        }
    }

    /// The same place for an extension, which is always optional.
    pub(crate) fn extension(self) -> Self {
        Self { optional: true, kind: Kind::Extension, ..self }
    }
}

/// A `system.toml` (Platform API 0.15): what the operator puts around every group.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct System {
    #[serde(default)]
    pub(crate) system: Around,
}

/// The table `[system]`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Around {
    #[serde(default)]
    pub(crate) pre: Addition,
    #[serde(default)]
    pub(crate) post: Addition,
}

/// Buildpacks at one end of every group.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Addition {
    #[serde(default)]
    pub(crate) buildpacks: Vec<Element>,
}

/// Which of two versions is newer: number by number where they have numbers, and a release after
/// its candidates. Any text has a place in this order, because versions are opaque.
pub(crate) fn newer(one: &str, other: &str) -> Ordering {
    let rank = |version: &str| {
        let (release, candidate) =
            version.split_once('-').map_or((version, None), |(head, tail)| (head, Some(tail)));
        let parts = release.split(['.', '+']).map(|part| (part.parse::<u64>().ok(), part.len()));
        let parts: Vec<_> = parts.collect();
        (parts, candidate.is_none(), candidate.unwrap_or_default().to_owned(), version.to_owned())
    };
    rank(one).cmp(&rank(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bp_order_resolution_the_newest_version_is_found_by_number() {
        let mut versions = ["1.10.0", "1.9.3", "2.0.0-rc.1", "2.0.0", "latest", "1.9"];
        versions.sort_by(|one, other| newer(one, other));
        assert_eq!(versions, ["latest", "1.9", "1.9.3", "1.10.0", "2.0.0-rc.1", "2.0.0"]);
    }
}
