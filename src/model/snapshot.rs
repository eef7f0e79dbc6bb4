//! A snapshot of a volume: what was in it at one moment, kept beside it; and the work on a volume that
//! outlives the daemon that began it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Actor, AppName, ByteSize, Timestamp, VolumeName};

/// Counts a volume's snapshots, from 1. Written `s3`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SnapshotNumber(pub u32);

impl SnapshotNumber {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for SnapshotNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("s{}", self.0))
    }
}

/// A text that should have been a snapshot such as `s3`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a snapshot; write it like `s3`")]
pub struct InvalidSnapshot(String);

impl FromStr for SnapshotNumber {
    type Err = InvalidSnapshot;

    fn from_str(text: &str) -> Result<Self, InvalidSnapshot> {
        match text.strip_prefix('s').unwrap_or(text).parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(InvalidSnapshot(text.chars().take(40).collect())),
        }
    }
}

/// One snapshot, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose.
    pub app: AppName,
    /// Of which volume.
    pub volume: VolumeName,
    /// Which.
    pub number: SnapshotNumber,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// What it took of the disk then; unknown if that took too long to find out.
    pub size: Option<ByteSize>,
    /// Why there is one.
    pub cause: SnapshotCause,
}

/// Why a snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum SnapshotCause {
    /// Somebody asked for it.
    Asked,
    /// It was in the volume when an earlier one took its place.
    Replaced {
        /// Which.
        by: SnapshotNumber,
    },
}

/// Work on a volume: on record before it begins, so that it is brought to an end whatever dies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What is to be done.
    pub task: Task,
    /// Who wants it.
    pub by: Actor,
}

/// What is done to a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Task {
    /// A copy becomes a snapshot.
    Snapshot {
        /// Its number.
        number: SnapshotNumber,
    },
    /// A copy of a snapshot is made; what is in the volume is used until it is whole.
    Fetch {
        /// Of which.
        from: SnapshotNumber,
        /// What is in the volume will be this one.
        kept: SnapshotNumber,
    },
    /// Nobody has the volume any more, and the copy takes the place of what is in it.
    Swap {
        /// See [`Task::Fetch`].
        from: SnapshotNumber,
        /// See [`Task::Fetch`].
        kept: SnapshotNumber,
    },
}

impl Task {
    /// Whether nobody may have the volume meanwhile.
    pub fn holds(self) -> bool {
        matches!(self, Self::Swap { .. })
    }

    /// In a few words, for people.
    pub fn words(self) -> String {
        match self {
            Self::Snapshot { number } => format!("making {number}"),
            Self::Fetch { from, .. } | Self::Swap { from, .. } => format!("restoring {from}"),
        }
    }
}

/// So many snapshots of a volume are kept; the oldest go first.
pub const SNAPSHOTS_KEPT: usize = 10;
