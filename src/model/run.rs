//! A run: a program of its own, once, with the image and environment of what serves.
//!
//! It is apart from the formation: nothing replaces it when it ends, no request reaches it, and no
//! deploy ends it. Invariant: one that has ended never begins again.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, ByteSize, CronName, CronTick, Exit, Incarnation, NodeName, ProcessName,
    ReleaseVersion, Slot, Timestamp,
};

/// Counts an app's runs, from 1; after the last comes the first again. Written `run.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunNumber(pub u16);

impl RunNumber {
    /// The number of the run after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(1))
    }

    /// The place of its instance, which no process has.
    pub fn slot(self) -> Slot {
        let process = RUN.parse().expect("the word is a process's name");
        Slot { process, index: self.0 }
    }
}

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{RUN}.{}", self.0))
    }
}

/// A text that should have been a run such as `run.3`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run; write it like `run.3`")]
pub struct InvalidRun(String);

impl FromStr for RunNumber {
    type Err = InvalidRun;

    fn from_str(text: &str) -> Result<Self, InvalidRun> {
        let digits = text.strip_prefix(RUN).and_then(|rest| rest.strip_prefix('.')).unwrap_or(text);
        match digits.parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(InvalidRun(text.chars().take(40).collect())),
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub number: RunNumber,
    /// Whose image and config it has.
    pub release: ReleaseVersion,
    /// Whose limits and environment it has.
    pub process: ProcessName,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The most memory it may use, where that is not the process's.
    pub memory: Option<ByteSize>,
    /// Who it talks to.
    pub console: RunConsole,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// By whom.
    pub by: Actor,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked it to end.
    #[serde(default)]
    pub stopped_by: Option<Actor>,
    /// The job by the clock that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<CronTick>,
    /// The machine that begins it, on record before it does: no other one that leads begins it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<NodeName>,
    /// How far it is.
    pub status: RunStatus,
}

/// Who a run talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunConsole {
    /// Nobody: its output is kept with the app's.
    Detached,
    /// A user, over pipes. What it writes is theirs alone.
    Pipes,
    /// A user at a terminal.
    Terminal,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RunStatus {
    /// It is to begin.
    Starting,
    /// It was seen to run.
    Running {
        /// Since then.
        since: Timestamp,
    },
    /// It is over.
    Ended {
        /// When.
        at: Timestamp,
        /// Its exit code; 128 and the signal's number where a signal ended it, and `None` where
        /// nobody knows.
        code: Option<u8>,
        /// What there is to say of it.
        reason: Option<String>,
    },
}

impl Run {
    /// Whether somebody talks to it.
    pub fn is_attached(&self) -> bool {
        match self.console {
            RunConsole::Detached => false,
            RunConsole::Pipes | RunConsole::Terminal => true,
        }
    }

    /// Whether it is of that job.
    pub fn is_of(&self, job: &CronName) -> bool {
        self.cron.as_ref().is_some_and(|cron| cron.job == *job)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.status, RunStatus::Ended { .. })
    }

    /// What its container is an instance of.
    pub fn incarnation(&self) -> Incarnation {
        Incarnation { release: self.release, restart: 0 }
    }
}

impl RunStatus {
    /// How far it is, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running { .. } => "running",
            Self::Ended { code: Some(0), .. } => "done",
            Self::Ended { .. } => "failed",
        }
    }

    /// The end that its container shows.
    pub fn of_exit(exit: &Exit) -> Self {
        let reason = match (&exit.error, exit.out_of_memory) {
            (Some(_), _) | (None, true) => Some(exit.to_string()),
            (None, false) => None,
        };
        let code = u8::try_from(exit.code).unwrap_or(u8::MAX);
        Self::Ended { at: exit.at, code: Some(code), reason }
    }
}

/// The word that stands for a process where a run is named.
pub const RUN: &str = "run";
/// Runs that are over and kept, per app; the oldest go first.
pub const RUNS_KEPT: usize = 50;
/// Runs of one app at the same time.
pub const RUNS_AT_ONCE: usize = 20;
/// How long a run may take that somebody talks to, unless they say otherwise.
pub const ATTACHED_TIMEOUT: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_places() {
        assert_eq!("run.3".parse(), Ok(RunNumber(3)));
        assert_eq!("3".parse(), Ok(RunNumber(3)));
        assert_eq!(RunNumber(3).slot().to_string(), RunNumber(3).to_string());
        for wrong in ["", "run", "run.", "run.0", "run.x", "web.1", "run.65536"] {
            assert!(wrong.parse::<RunNumber>().is_err(), "{wrong}");
        }
        assert_eq!(RunNumber(u16::MAX).next(), RunNumber(1));
    }
}
