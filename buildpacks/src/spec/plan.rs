//! The build plan: what buildpacks provide and require of each other.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// What `bin/detect` writes: a first choice and its alternatives.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct BuildPlan {
    #[serde(flatten)]
    pub(crate) first: Section,
    #[serde(default)]
    pub(crate) or: Vec<Section>,
}

impl BuildPlan {
    /// The choices, in the order in which they are tried.
    pub(crate) fn into_options(self) -> Vec<Section> {
        std::iter::once(self.first).chain(self.or).collect()
    }
}

/// One choice of a buildpack.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Section {
    #[serde(default)]
    pub(crate) provides: Vec<Provide>,
    #[serde(default)]
    pub(crate) requires: Vec<Require>,
}

/// A dependency that the buildpack can supply.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Provide {
    pub(crate) name: String,
}

/// A dependency that the buildpack asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Require {
    pub(crate) name: String,
    /// An error in the reference; some buildpacks still write it, so it is moved to `metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Value>,
}

impl Require {
    /// The requirement with `version` moved into its metadata; `None` when it has both.
    pub(crate) fn liberal(mut self) -> Option<Self> {
        let Some(version) = self.version.take() else { return Some(self) };
        let metadata = self.metadata.get_or_insert_with(|| Value::Table(Table::new()));
        let table = metadata.as_table_mut()?;
        if table.contains_key("version") {
            return None;
        }
        table.insert("version".into(), Value::String(version));
        Some(self)
    }
}

/// A resolved entry: who can supply a dependency, and who asked for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Places in the group, in group order.
    pub(crate) providers: Vec<usize>,
    pub(crate) requires: Vec<Require>,
}

/// The plan file given to `bin/build`: the requirements that this buildpack can supply.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct PackPlan {
    pub(crate) entries: Vec<PackPlanEntry>,
}

/// One requirement in a [`PackPlan`].
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PackPlanEntry {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Value>,
}

impl From<&Require> for PackPlanEntry {
    fn from(require: &Require) -> Self {
        Self { name: require.name.clone(), metadata: require.metadata.clone() }
    }
}

/// `build.toml`: the requirements that the buildpack leaves to later ones.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct BuildToml {
    #[serde(default)]
    pub(crate) unmet: Vec<Provide>,
}
