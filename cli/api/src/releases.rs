//! Releases and the config that goes into them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Release {
    /// For example `v12`.
    pub version: String,
    /// Whether it serves.
    pub current: bool,
    /// One word for its last rollout: `starting`, `shifting`, `draining`, `done`, `failed`,
    /// `superseded`.
    pub status: String,
    /// Why it was made, in a few words.
    pub cause: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: String,
    /// The build that made its image.
    pub build: u32,
    /// Its image.
    pub image: String,
    /// Process → command.
    pub processes: BTreeMap<String, String>,
}

/// Asks for an older release again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rollback {
    /// Which, for example `v10`; the last good one before the current if absent.
    pub to: Option<String>,
}

/// An app's config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Config {
    /// Name → value, byte for byte.
    pub values: BTreeMap<String, String>,
}

/// Asks for another config: it makes a release and rolls it out, if there is one already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigPatch {
    /// Name → new value; `null` removes the name.
    pub values: BTreeMap<String, Option<String>>,
}
