//! `<layer>.toml`: what a layer is for, and what its buildpack remembers of it.

use serde::{Deserialize, Serialize};
use toml::Value;

/// A layer's metadata file.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(crate) struct LayerToml {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) types: Option<Types>,
    /// Any TOML value: tables are usual, but plain strings are found in the wild.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Value>,
    /// Keys of Buildpack API 0.5 and older; writing them today is an error.
    #[serde(default, skip_serializing)]
    launch: Option<Value>,
    #[serde(default, skip_serializing)]
    build: Option<Value>,
    #[serde(default, skip_serializing)]
    cache: Option<Value>,
}

/// The table `[types]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Types {
    #[serde(default)]
    pub(crate) launch: bool,
    #[serde(default)]
    pub(crate) build: bool,
    #[serde(default)]
    pub(crate) cache: bool,
}

impl Types {
    /// Whether nobody wants the layer, so that it is set aside.
    pub(crate) fn is_ignored(self) -> bool {
        self == Self::default()
    }
}

impl LayerToml {
    /// A file with these types and metadata.
    pub(crate) fn new(types: Option<Types>, metadata: Option<Value>) -> Self {
        Self { types, metadata, launch: None, build: None, cache: None }
    }

    /// Whether the file has type keys outside `[types]`, as before API 0.6.
    pub(crate) fn has_top_level_types(&self) -> bool {
        self.launch.is_some() || self.build.is_some() || self.cache.is_some()
    }
}
