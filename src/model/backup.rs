//! A backup of a volume: what was in it at one moment, kept elsewhere, encrypted; where that is, what it is
//! called there, and what a volume remembers of it.
//!
//! The place is the record: what stands there is a [`Backup`], also for a machine that never saw the
//! volume. A volume itself knows only when the next is due and how the last one went.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Actor, AppName, ByteSize, Schedule, Timestamp, VolumeName};

/// Counts a volume's backups at their place, from 1. Written `b3`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BackupNumber(pub u32);

impl fmt::Display for BackupNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("b{}", self.0))
    }
}

/// A text that should have been a backup such as `b3`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a backup; write it like `b3`")]
pub struct InvalidBackup(String);

impl FromStr for BackupNumber {
    type Err = InvalidBackup;

    fn from_str(text: &str) -> Result<Self, InvalidBackup> {
        match text.strip_prefix('b').map(str::parse) {
            Some(Ok(number)) if number > 0 => Ok(Self(number)),
            _ => Err(InvalidBackup(text.chars().take(40).collect())),
        }
    }
}

/// A backup that is whole, as the file beside its bytes describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// How this is written: [`BACKUP_FORMAT`].
    pub format: u32,
    /// Whose.
    pub app: AppName,
    /// Of which volume.
    pub volume: VolumeName,
    /// Which.
    pub number: BackupNumber,
    /// Of which moment.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Actor,
    /// How many bytes the archive has, before it is compressed.
    pub bytes: ByteSize,
    /// How many are stored.
    pub stored: ByteSize,
    /// Of what is stored, in hexadecimal digits.
    pub sha256: String,
    /// The public half of the key that it is encrypted to.
    pub key: String,
}

/// The one that is written; others are not read.
pub const BACKUP_FORMAT: u32 = 1;

/// What the objects of a backup are called: `b3-2026-11-22T03-30-00Z` and an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupName {
    /// Which.
    pub number: BackupNumber,
    /// Of which second.
    pub at: Timestamp,
}

impl BackupName {
    /// The name of a backup; what is less than a second is not in it.
    pub fn new(number: BackupNumber, at: Timestamp) -> Self {
        Self { number, at: at.to_the_second() }
    }

    /// Its bytes.
    pub fn archive(self) -> String {
        format!("{self}{ARCHIVE}")
    }

    /// What describes it, and is there only when all of it is.
    pub fn description(self) -> String {
        format!("{self}{DESCRIPTION}")
    }

    /// Of one of those two.
    pub fn of(object: &str) -> Option<Self> {
        let stem = object.strip_suffix(ARCHIVE).or_else(|| object.strip_suffix(DESCRIPTION))?;
        let (number, time) = stem.split_once('-')?;
        let (day, clock) = time.split_once('T')?;
        let at = Timestamp::parse(&format!("{day}T{}", clock.replace('-', ":")))?;
        let name = Self::new(number.parse().ok()?, at);
        (name.to_string() == stem).then_some(name)
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A colon is no part of a name on every file system.
        let at = self.at.to_string().replace(".000Z", "Z").replace(':', "-");
        write!(f, "{}-{at}", self.number)
    }
}

const ARCHIVE: &str = ".tar.zst.age";
const DESCRIPTION: &str = ".json";

/// What a volume has to do with backups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackupState {
    /// When one is made by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How many stay.
    #[serde(default)]
    pub keep: BackupsKept,
    /// The times of the schedule up to this one were dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// How often the last of them was tried and failed.
    #[serde(default)]
    pub failures: u32,
    /// When it is tried once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// How the last one went, by schedule or by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<BackupOutcome>,
}

impl BackupState {
    /// Takes on what a release says: times of another schedule count from now on.
    pub fn wanted(&mut self, schedule: Option<&Schedule>, keep: BackupsKept, now: Timestamp) {
        self.keep = keep;
        if self.schedule.as_ref() == schedule {
            return;
        }
        self.schedule = schedule.cloned();
        (self.seen, self.failures, self.again_at) = (schedule.map(|_| now), 0, None);
    }
}

/// How a backup went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOutcome {
    /// When it was over.
    pub at: Timestamp,
    /// Which it is, or why there is none.
    pub result: Result<BackupNumber, String>,
}

/// How many backups of a volume stay; the oldest go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BackupsKept(pub u32);

impl Default for BackupsKept {
    fn default() -> Self {
        Self(7)
    }
}

/// Where backups are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupPlace {
    /// A folder, better of another disk.
    Folder(PathBuf),
    /// A bucket of a store that speaks S3.
    S3(S3Place),
}

/// A bucket, and how to get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    /// Its name.
    pub bucket: String,
    /// What all names begin with, without a slash at its end.
    pub prefix: String,
    /// Who has it, if not Amazon.
    pub endpoint: Option<String>,
    /// Where.
    pub region: String,
    /// Which key requests are signed with.
    pub key_id: String,
    /// The file with its secret half.
    pub secret_file: PathBuf,
}

impl fmt::Display for BackupPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::S3(S3Place { bucket, prefix, .. }) if prefix.is_empty() => {
                write!(f, "s3://{bucket}")
            }
            Self::S3(S3Place { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// How far what goes to the place, or comes from there, has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Whose.
    pub app: AppName,
    /// Of which volume.
    pub volume: VolumeName,
    /// So many bytes of the archive.
    pub done: ByteSize,
    /// Of about so many, if that is known.
    pub of: Option<ByteSize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_and_when_and_is_read_back() {
        let at = Timestamp::parse("2026-11-22T03:30:00.250Z").unwrap();
        let name = BackupName::new(BackupNumber(3), at);
        assert_eq!(name.archive(), "b3-2026-11-22T03-30-00Z.tar.zst.age");
        assert_eq!(BackupName::of(&name.archive()), Some(name));
        assert_eq!(BackupName::of("b3-2026-11-22T03-30-00Z.json"), Some(name));
        for other in [
            "",
            "b3.json",
            "b3-2026-11-22T03-30-00Z",
            "b3-2026-11-22T03-30-00Z.json.part",
            "b03-2026-11-22T03-30-00Z.json",
            "b0-2026-11-22T03-30-00Z.json",
            "3-2026-11-22T03-30-00Z.json",
            "b3-2026-11-22T03-30-61Z.json",
            "b3-2026-11-22T03-30-00.5Z.json",
            "../b3-2026-11-22T03-30-00Z.json",
        ] {
            assert_eq!(BackupName::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_number_is_written_with_its_letter() {
        assert_eq!("b12".parse(), Ok(BackupNumber(12)));
        for text in ["", "b", "b0", "12", "s1", "b-1"] {
            assert!(text.parse::<BackupNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn another_schedule_counts_from_when_it_is_first_wanted() {
        let at = |clock: &str| Timestamp::parse(&format!("2026-11-22T{clock}:00Z")).unwrap();
        let daily: Schedule = "@daily".parse().unwrap();
        let mut state = BackupState::default();
        state.wanted(Some(&daily), BackupsKept(2), at("03:00"));
        assert_eq!((state.seen, state.keep), (Some(at("03:00")), BackupsKept(2)));
        (state.failures, state.again_at) = (1, Some(at("04:05")));
        state.wanted(Some(&daily), BackupsKept(3), at("04:00"));
        assert_eq!((state.seen, state.failures), (Some(at("03:00")), 1));
        state.wanted(None, BackupsKept(3), at("05:00"));
        assert_eq!((state.seen, state.failures, state.again_at), (None, 0, None));
    }

    #[test]
    fn what_describes_a_backup_is_for_ever() {
        let golden = r#"{"format":1,"app":"shop","volume":"data","number":3,"at":"2026-11-22T03:30:00.250Z","by":"platform","bytes":10240,"stored":512,"sha256":"00","key":"age1x"}"#;
        let backup: Backup = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&backup).unwrap(), golden);
    }
}
