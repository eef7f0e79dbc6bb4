//! Jobs by the clock, and their history.

use serde::{Deserialize, Serialize};

/// A job that what serves declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CronJob {
    /// Its name.
    pub name: String,
    /// Five fields, or a word such as `@daily`.
    pub schedule: String,
    /// By whose clocks, for example `Europe/Berlin`.
    pub timezone: String,
    /// What it runs.
    pub command: String,
    /// `forbid`, `allow` or `replace`.
    pub overlap: String,
    /// How long a run may take, in milliseconds.
    pub timeout_ms: u64,
    /// How late the last of missed ticks may run, in milliseconds.
    pub catch_up_ms: u64,
    /// Who has it rest.
    pub paused_by: Option<String>,
    /// Its next tick, unless it rests.
    pub next: Option<String>,
    /// The same as the clocks of its time zone show it.
    pub next_local: Option<String>,
    /// The newest line of its history.
    pub last: Option<CronRun>,
}

/// A line of a job's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CronRun {
    /// Which job's.
    pub job: String,
    /// Counts the job's lines, from 1.
    pub number: u64,
    /// One word: `running`, `done` (it ended with 0), `failed`, `skipped` or `missed`.
    pub state: String,
    /// The tick; without one somebody ran the job at once.
    pub tick: Option<String>,
    /// When it was written.
    pub at: String,
    /// By whom.
    pub by: String,
    /// For example `run.3`, by which its output is found among the app's logs.
    pub run: Option<String>,
    /// Whose image and config it has, for example `v12`.
    pub release: Option<String>,
    /// When it was seen to begin and to end.
    pub began_at: Option<String>,
    /// See `began_at`.
    pub ended_at: Option<String>,
    /// Its exit code, once it has ended and where it is known.
    pub code: Option<u8>,
    /// What there is to say of it.
    pub reason: Option<String>,
    /// What it wrote last, where it failed.
    #[serde(default)]
    pub last_lines: Vec<String>,
}
