//! Cron: commands of a release by the clock, and what became of their ticks.
//!
//! A job stands in the release; what was seen of its ticks is a state of its own, which outlives
//! releases. Invariant: a tick up to [`Counting::seen`] has been dealt with, once: it ran, or the
//! history says why it did not.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, ByteSize, CronName, ProcessName, ReleaseVersion, RunNumber, Schedule, TimeZone,
    Timestamp, console,
};

/// What runs when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronJob {
    /// When.
    pub schedule: Schedule,
    /// By whose clocks.
    #[serde(default)]
    pub timezone: TimeZone,
    /// What.
    pub command: CronCommand,
    /// Whose limits and environment it has; `None` is `web`, or else the first process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessName>,
    /// The most memory it may use, where that is not the process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// How long it may take.
    pub timeout: Duration,
    /// What happens at a tick while an earlier run of it goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// How late the last of the ticks that were missed may run.
    pub catch_up: Duration,
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CronCommand {
    /// A line for a shell.
    Shell(String),
    /// Program and arguments, which no shell reads.
    Words(Vec<String>),
}

impl CronCommand {
    /// Program and arguments.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
            Self::Words(words) => words.clone(),
        }
    }
}

impl fmt::Display for CronCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.pad(line),
            Self::Words(words) => f.pad(&console::shown(words)),
        }
    }
}

/// What happens at a tick while an earlier run of the job goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The tick is skipped.
    #[default]
    Forbid,
    /// Both run.
    Allow,
    /// The earlier one is ended, and then the new one begins.
    Replace,
}

/// A text that should have been a way to overlap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to overlap; there is forbid, allow and replace")]
pub struct InvalidOverlap(String);

impl Overlap {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forbid => "forbid",
            Self::Allow => "allow",
            Self::Replace => "replace",
        }
    }
}

impl FromStr for Overlap {
    type Err = InvalidOverlap;

    fn from_str(text: &str) -> Result<Self, InvalidOverlap> {
        let all = [Self::Forbid, Self::Allow, Self::Replace];
        let known = all.into_iter().find(|one| one.word() == text);
        known.ok_or_else(|| InvalidOverlap(text.chars().take(40).collect()))
    }
}

/// What is remembered of a job, whatever release declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronState {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub job: CronName,
    /// How far its ticks were dealt with; `None` while what serves does not declare it.
    #[serde(default)]
    pub counting: Option<Counting>,
    /// The latest tick that ran.
    #[serde(default)]
    pub last_tick: Option<Timestamp>,
    /// Who has it rest.
    #[serde(default)]
    pub paused_by: Option<Actor>,
    /// The newest entry of its history.
    #[serde(default)]
    pub last_entry: u64,
    /// When people were last told that it went wrong.
    #[serde(default)]
    pub alerted_at: Option<Timestamp>,
    /// Whether they were told of what goes wrong now.
    #[serde(default)]
    pub trouble_told: bool,
}

/// How far the ticks of a schedule were dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counting {
    /// The schedule.
    pub schedule: Schedule,
    /// By whose clocks.
    pub timezone: TimeZone,
    /// All ticks up to this time were dealt with.
    pub seen: Timestamp,
}

impl Counting {
    /// Whether it is that job's.
    pub fn is_of(&self, job: &CronJob) -> bool {
        self.schedule == job.schedule && self.timezone == job.timezone
    }
}

impl CronState {
    /// That of a job of which nothing is known.
    pub fn new(app: AppName, job: CronName) -> Self {
        Self {
            app,
            job,
            counting: None,
            last_tick: None,
            paused_by: None,
            last_entry: 0,
            alerted_at: None,
            trouble_told: false,
        }
    }

    /// Counting the ticks of a job from now on; where the clock was set back, from after the latest one
    /// that ran.
    pub fn counting_anew(&self, job: &CronJob, now: Timestamp) -> Counting {
        let ran = self.last_tick.filter(|tick| *tick <= now.plus(SET_BACK));
        Counting {
            schedule: job.schedule.clone(),
            timezone: job.timezone.clone(),
            seen: ran.map_or(now, |tick| tick.max(now)),
        }
    }
}

/// What a run was begun by the clock for; a part of the run's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronTick {
    /// Which job's run it is.
    pub job: CronName,
    /// Where the history tells of it.
    pub entry: u64,
    /// Its time; `None` where somebody wanted a run at once.
    #[serde(default)]
    pub tick: Option<Timestamp>,
}

/// One line of a job's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronEntry {
    /// Whose.
    pub app: AppName,
    /// Which job's.
    pub job: CronName,
    /// Counts the job's entries, from 1.
    pub number: u64,
    /// The tick; `None` where somebody wanted a run at once.
    pub tick: Option<Timestamp>,
    /// When it was written.
    pub at: Timestamp,
    /// Who wanted it.
    pub by: Actor,
    /// What became of it.
    pub outcome: CronOutcome,
}

/// What became of a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CronOutcome {
    /// A run that is not over.
    Running {
        /// Which.
        run: RunNumber,
        /// Whose image and config it has.
        release: ReleaseVersion,
    },
    /// A run that is over.
    Ended {
        /// Which.
        run: RunNumber,
        /// Whose image and config it had.
        release: ReleaseVersion,
        /// When it was seen to begin.
        began: Option<Timestamp>,
        /// When it ended.
        ended: Timestamp,
        /// Its exit code.
        code: Option<u8>,
        /// What there is to say of its end.
        reason: Option<String>,
        /// What it wrote last, where it went wrong.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        last_lines: Vec<String>,
    },
    /// There was no run, and this is why.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Ticks went by while nobody looked; it is told of them at once.
    Missed {
        /// So many.
        count: u32,
        /// The last of them; the entry's tick is the first.
        until: Timestamp,
    },
}

impl CronOutcome {
    /// It, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::Ended { code: Some(0), .. } => "done",
            Self::Ended { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Missed { .. } => "missed",
        }
    }
}

/// A clock that is set back by less runs no tick twice; the ticks that come again are left out.
pub const SET_BACK: Duration = Duration::from_hours(24);
/// Jobs that one app may have.
pub const MAX_JOBS: usize = 50;
/// Entries of a job's history that are kept.
pub const HISTORY_KEPT: u64 = 100;
/// How long a run may take, unless the manifest says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_hours(24);
/// How late a tick may run, unless the manifest says otherwise.
pub const DEFAULT_CATCH_UP: Duration = Duration::from_hours(1);
