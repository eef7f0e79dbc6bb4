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
    /// The machine that has what is in it; `null` until there is something.
    #[serde(default)]
    pub node: Option<String>,
    /// Whether that is another machine than the one that leads.
    #[serde(default)]
    pub elsewhere: bool,
    /// Why nothing can be done to it, if that machine was removed.
    #[serde(default)]
    pub away: Option<String>,
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
    /// When a backup of it is made by itself, such as `30 3 * * *`, in UTC.
    #[serde(default)]
    pub backup: Option<String>,
    /// How many backups stay.
    #[serde(default)]
    pub keep_backups: u32,
    /// How the last one went.
    #[serde(default)]
    pub last_backup: Option<LastBackup>,
    /// When it was made.
    pub created_at: String,
    /// By whom.
    pub by: String,
}

/// How a backup went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LastBackup {
    /// When it was over.
    pub at: String,
    /// Such as `b3`; `null` if there is none.
    pub name: Option<String>,
    /// Why there is none.
    pub failure: Option<String>,
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

/// Asks for a volume to go to another machine, with its snapshots. Nobody has it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MoveVolume {
    /// The name of the machine.
    pub to: String,
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

/// What was in a volume at one moment, kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Backup {
    /// Such as `b3`.
    pub name: String,
    /// Whose.
    pub app: String,
    /// Of which volume.
    pub volume: String,
    /// Of which moment.
    pub at: String,
    /// By whom.
    pub by: String,
    /// Bytes of its archive, before it was compressed.
    pub bytes: u64,
    /// Bytes where it is kept.
    pub stored: u64,
    /// Their digest, in hexadecimal digits.
    pub sha256: String,
    /// The public half of the key that opens it.
    pub key: String,
    /// Whether this server has the other half.
    pub readable: bool,
}

/// The keys of backups: a text that `age -i` takes, to be kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BackupKeys {
    /// All of them, the one that encrypts first.
    pub text: String,
    /// Their public halves, in the same order.
    pub public: Vec<String>,
}

/// Asks to take over keys of another server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ImportBackupKeys {
    /// See [`BackupKeys`].
    pub text: String,
}

/// The keys that were taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ImportedBackupKeys {
    /// The public halves of those that are new here.
    pub added: Vec<String>,
}

/// Asks for a snapshot or a backup to take the place of what is in its volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RestoreVolume {
    /// Such as `s3`, or `b3` for a backup.
    pub snapshot: String,
    /// Of the backups of which app; its own if nobody says.
    #[serde(default)]
    pub from_app: Option<String>,
}
