//! Runs: programs of their own, once.

use serde::{Deserialize, Serialize};

use crate::session::Terminal;

/// Asks for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StartRun {
    /// Program and arguments. No shell reads them.
    pub command: Vec<String>,
    /// Whose limits and environment it has; without one those of `web`, or else of the first process.
    #[serde(default)]
    pub process: Option<String>,
    /// The most memory it may use, for example `512m`, where that is not the process's.
    #[serde(default)]
    pub memory: Option<String>,
    /// How long it may take, for example `30m`; a day where somebody talks to it, otherwise for ever.
    #[serde(default)]
    pub timeout: Option<String>,
    /// The terminal that it is to have; only where it is a session.
    #[serde(default)]
    pub terminal: Option<Terminal>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Run {
    /// For example `run.3`, by which its output is found among the app's logs.
    pub name: String,
    /// Whose image and config it has, for example `v12`.
    pub release: String,
    /// Whose limits and environment it has.
    pub process: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether nobody talks to it.
    pub detached: bool,
    /// One word: `starting`, `running`, `done` (it ended with 0), `failed`.
    pub state: String,
    /// Its exit code, once it has ended and where it is known.
    pub code: Option<u8>,
    /// What there is to say of its end.
    pub reason: Option<String>,
    /// By whom.
    pub by: String,
    /// When it was asked for.
    pub at: String,
    /// When it was seen to end.
    pub ended_at: Option<String>,
}
