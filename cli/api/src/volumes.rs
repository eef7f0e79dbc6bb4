//! Volumes: disks of an app that outlive its instances and releases.

use serde::{Deserialize, Serialize};

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Whose.
    pub app: String,
    /// `attached`, `free`, or `going` while it is being destroyed.
    pub state: String,
    /// Which process has it.
    pub process: Option<String>,
    /// Where it appears there.
    pub path: Option<String>,
    /// How much is to be in it at most, in bytes; who exceeds it is told of, not stopped.
    pub size: Option<u64>,
    /// What it takes of the disk, in bytes; `null` before it was measured.
    pub used: Option<u64>,
    /// When it was measured.
    pub measured_at: Option<String>,
    /// What is being done to it, such as `restoring s3`.
    #[serde(default)]
    pub job: Option<String>,
    /// Why what was done last was not done.
    #[serde(default)]
    pub failure: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// By whom.
    pub by: String,
}

/// Asks for a volume. One that is there gets the size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateVolume {
    /// Its name.
    pub name: String,
    /// See [`Volume`]; such as `10g`.
    pub size: Option<String>,
}

/// What was in a volume at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Snapshot {
    /// Such as `s3`.
    pub name: String,
    /// When it was made.
    pub at: String,
    /// By whom.
    pub by: String,
    /// What it took of the disk then, in bytes.
    pub size: Option<u64>,
    /// Why there is one.
    pub cause: String,
}

/// Asks for a snapshot to take the place of what is in its volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RestoreVolume {
    /// Such as `s3`.
    pub snapshot: String,
}
