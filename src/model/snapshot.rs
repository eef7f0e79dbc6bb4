//! A snapshot of a volume: what was in it at one moment, kept beside it; and the work on a volume that
//! outlives the daemon that began it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Actor, AppName, BackupNumber, ByteSize, NodeName, Timestamp, VolumeName};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum SnapshotCause {
    /// Somebody asked for it.
    Asked,
    /// It was in the volume when something else took its place.
    Replaced {
        /// Which.
        by: RestoreSource,
    },
}

/// What a volume is restored from. A number alone is a snapshot's, as it always was on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RestoreSource {
    /// One of the volume's own snapshots.
    Snapshot(SnapshotNumber),
    /// A backup of the volume of that name.
    Backup {
        /// Which.
        backup: BackupNumber,
        /// Of another app, or of one that is no more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<AppName>,
    },
}

impl fmt::Display for RestoreSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(number) => write!(f, "{number}"),
            Self::Backup { backup, of: None } => write!(f, "{backup}"),
            Self::Backup { backup, of: Some(app) } => write!(f, "{backup} of {app}"),
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Task {
    /// A copy becomes a snapshot.
    Snapshot {
        /// Its number.
        number: SnapshotNumber,
    },
    /// A copy is made that a backup is to be sent from.
    Backup {
        /// Of which moment the backup is, and what its copy is found by.
        at: Timestamp,
    },
    /// The copy is sent to the place of backups, and removed.
    Upload {
        /// See [`Task::Backup`].
        at: Timestamp,
        /// How often that was begun; a daemon that died in it begins it anew.
        begun: u32,
    },
    /// A copy of a snapshot or of a backup is made; what is in the volume is used until it is whole.
    Fetch {
        /// Of which.
        from: RestoreSource,
        /// What is in the volume will be this one.
        kept: SnapshotNumber,
    },
    /// Nobody has the volume any more, and the copy takes the place of what is in it.
    Swap {
        /// See [`Task::Fetch`].
        from: RestoreSource,
        /// See [`Task::Fetch`].
        kept: SnapshotNumber,
    },
    /// The machine that will be its home gets the image of whoever has the volume; it is used where it is meanwhile.
    Prepare {
        /// Which will be its home.
        to: NodeName,
        /// When that began.
        since: Timestamp,
    },
    /// Nobody has the volume any more, and all of it goes to another machine.
    Move {
        /// See [`Task::Prepare`].
        to: NodeName,
    },
}

impl Task {
    /// Whether nobody may have the volume meanwhile.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Swap { .. } | Self::Move { .. })
    }

    /// Whether bytes go to another machine or to the place of backups, or come from there.
    pub fn transfers(&self) -> bool {
        match self {
            Self::Upload { .. } | Self::Prepare { .. } | Self::Move { .. } => true,
            Self::Fetch { from, .. } => matches!(from, RestoreSource::Backup { .. }),
            Self::Snapshot { .. } | Self::Backup { .. } | Self::Swap { .. } => false,
        }
    }

    /// In a few words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Snapshot { number } => format!("making {number}"),
            Self::Backup { .. } => "copying it for a backup".to_owned(),
            Self::Upload { .. } => "backing it up".to_owned(),
            Self::Fetch { from, .. } | Self::Swap { from, .. } => format!("restoring {from}"),
            Self::Prepare { to, .. } => format!("sending the image to {to}"),
            Self::Move { to } => format!("moving it to {to}"),
        }
    }
}

/// So many snapshots of a volume are kept; the oldest go first.
pub const SNAPSHOTS_KEPT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_on_record_before_there_were_backups_is_still_read() {
        let old = r#"{"is":"swap","from":3,"kept":4}"#;
        let from = RestoreSource::Snapshot(SnapshotNumber(3));
        let swap = Task::Swap { from, kept: SnapshotNumber(4) };
        assert_eq!(serde_json::from_str::<Task>(old).unwrap(), swap);
        assert_eq!(serde_json::to_string(&swap).unwrap(), old);
        let of = Some("old".parse().unwrap());
        let from = RestoreSource::Backup { backup: BackupNumber(2), of };
        let fetch = Task::Fetch { from, kept: SnapshotNumber(4) };
        let text = serde_json::to_string(&fetch).unwrap();
        assert_eq!(text, r#"{"is":"fetch","from":{"backup":2,"of":"old"},"kept":4}"#);
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), fetch);
        assert_eq!((fetch.words(), fetch.transfers()), ("restoring b2 of old".to_owned(), true));
    }
}
