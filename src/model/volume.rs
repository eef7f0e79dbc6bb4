//! A volume: a disk of an app that outlives its instances and releases.
//!
//! It belongs to one app for ever, and to one process at a time: whoever has it mounted is the only
//! one that writes to it. How large it may be is watched, not enforced. Its bytes are on one machine, its home.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, BackupState, BackupsKept, ByteSize, ContainerId, MountPath, Name, NodeName,
    Schedule, SnapshotNumber, Timestamp, name::Grammar, snapshot::Job,
};

/// A volume's name: 1 to 30 characters, `^[a-z][a-z0-9_-]*$`.
pub type VolumeName = Name<VolumeGrammar>;

/// See [`VolumeName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeGrammar {}

impl Grammar for VolumeGrammar {
    const KIND: &'static str = "volume name";

    fn check(text: &str) -> Result<(), &'static str> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let valid = (1..=30).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(inner);
        valid.then_some(()).ok_or(
            "1 to 30 characters: lower-case letters, digits, `-` and `_`, starting with a letter",
        )
    }
}

/// One volume of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub name: VolumeName,
    /// The machine that has its bytes; none until there are some, or if they are older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<NodeName>,
    /// Whether that machine was removed, and has not joined again under that name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Machines on which it was before, and of which it is not known that nothing is left there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left: BTreeSet<NodeName>,
    /// How much is to be in it at most; who exceeds it is told of, not stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ByteSize>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// Set once it is to vanish; then control removes its bytes and at last this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_at: Option<Timestamp>,
    /// The newest snapshot; numbers are given out here and never again.
    #[serde(default)]
    pub last_snapshot: SnapshotNumber,
    /// What is being done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// Who is made to stand still for that: on record before it is done, so that whatever dies, they and
    /// nobody else go on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub frozen: BTreeSet<ContainerId>,
    /// Why what was done last was not done, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Its backups.
    #[serde(default)]
    pub backups: BackupState,
}

impl Volume {
    /// Whether nobody may have it now.
    pub fn is_held(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.task.holds())
    }
}

/// Where a volume is that the machine which leads does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Away {
    /// On another of ours.
    On(NodeName),
    /// On one that is none of ours any more, and lost with it.
    Lost(NodeName),
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(node) => write!(f, "on {node}"),
            Self::Lost(node) => write!(f, "on {node}, which was removed"),
        }
    }
}

/// A volume as a process has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounting {
    /// Where it appears.
    pub path: MountPath,
    /// What the manifest says of its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ByteSize>,
    /// When what is in it is backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Schedule>,
    /// How many backups stay, if that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_backups: Option<BackupsKept>,
}

impl Mounting {
    /// At a path, and nothing else is said.
    pub fn at(path: MountPath) -> Self {
        Self { path, size: None, backup: None, keep_backups: None }
    }
}

/// What a volume took of the disk when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of the disk.
    pub used: ByteSize,
    /// When.
    pub at: Timestamp,
}

/// The same of all volumes that were looked at.
pub type Usages = BTreeMap<(AppName, VolumeName), Usage>;
