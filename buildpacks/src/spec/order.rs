//! `order.toml`: which groups of buildpacks to try, in which order.

use serde::Deserialize;

use super::BuildpackId;

/// The groups, in the order in which they are tried.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Order {
    #[serde(default)]
    pub(crate) order: Vec<Group>,
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
}
