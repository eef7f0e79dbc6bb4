//! `launch.toml`: the processes, labels and slices that a buildpack contributes to the image.

use serde::{Deserialize, Serialize};

/// A `launch.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct LaunchToml {
    #[serde(default)]
    pub(crate) labels: Vec<Label>,
    #[serde(default)]
    pub(crate) processes: Vec<LaunchProcess>,
    #[serde(default)]
    pub(crate) slices: Vec<Slice>,
}

/// One of `[[processes]]`, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LaunchProcess {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) command: Command,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    /// Only before API 0.9.
    #[serde(default)]
    pub(crate) direct: Option<bool>,
    #[serde(default)]
    pub(crate) default: bool,
    #[serde(default)]
    pub(crate) working_dir: Option<String>,
    #[serde(default)]
    pub(crate) exec_env: Vec<String>,
}

/// The command of a process: text before API 0.9, an array since.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Command {
    Text(String),
    Array(Vec<String>),
}

/// A label of the image. Part of the wire between agent and daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The label's name.
    pub key: String,
    /// Its text.
    #[serde(default)]
    pub value: String,
}

/// Files of the app that become a layer of their own. Part of the wire between agent and daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Patterns of Go's `filepath.Match`, relative to the app folder.
    #[serde(default)]
    pub paths: Vec<String>,
}
