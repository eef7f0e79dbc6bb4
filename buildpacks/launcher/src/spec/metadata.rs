//! `/layers/config/metadata.toml`: what the launcher reads when the app starts.

use serde::{Deserialize, Serialize};

/// The document.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Metadata {
    #[serde(
        default,
        rename = "buildpack-default-process-type",
        skip_serializing_if = "Option::is_none"
    )]
    pub default_process: Option<String>,
    /// In group order: the launcher applies their environments in this order.
    #[serde(default)]
    pub buildpacks: Vec<MetadataBuildpack>,
    /// Sorted by type, so that equal builds give equal bytes.
    #[serde(default)]
    pub processes: Vec<MetadataProcess>,
}

/// A buildpack of the group.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct MetadataBuildpack {
    pub id: String,
    pub version: String,
    pub api: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
}

/// A process of the image.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetadataProcess {
    #[serde(rename = "type")]
    pub kind: String,
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub direct: bool,
    pub buildpack_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec_env: Vec<String>,
}
