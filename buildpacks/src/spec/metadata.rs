//! `/layers/config/metadata.toml`: what the launcher reads when the app starts.

use serde::{Deserialize, Serialize};

/// The document.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(crate) struct Metadata {
    #[serde(
        default,
        rename = "buildpack-default-process-type",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) default_process: Option<String>,
    /// In group order: the launcher applies their environments in this order.
    #[serde(default)]
    pub(crate) buildpacks: Vec<MetadataBuildpack>,
    /// Sorted by type, so that equal builds give equal bytes.
    #[serde(default)]
    pub(crate) processes: Vec<MetadataProcess>,
}

/// A buildpack of the group.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct MetadataBuildpack {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) api: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) homepage: Option<String>,
}

/// A process of the image.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MetadataProcess {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    #[serde(default)]
    pub(crate) direct: bool,
    pub(crate) buildpack_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) exec_env: Vec<String>,
}
