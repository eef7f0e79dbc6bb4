//! Apps, their instances, and what a change of one answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An app as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct App {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// Where it answers.
    pub urls: Vec<String>,
    /// One word: `new` (nothing released yet), `deploying`, `running`, `degraded` (some instances
    /// are not ready), `down` (none is), `stopped` (scaled to zero), `destroying`,
    /// `destroyed` (nothing runs, and it can be brought back).
    pub state: String,
    /// Why it is so, in a sentence, where that needs saying.
    pub reason: Option<String>,
    /// What visitors are told instead of being served, while it is being worked on.
    #[serde(default)]
    pub maintenance: Option<String>,
    /// Who does not want it destroyed.
    #[serde(default)]
    pub protected_by: Option<String>,
    /// What serves, for example `v12`.
    pub release: Option<String>,
    /// Instances wanted, per process.
    pub formation: BTreeMap<String, u16>,
    /// Instances ready now, per process.
    pub ready: BTreeMap<String, u16>,
}

/// Asks for a new app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateApp {
    /// Its name: 3 to 40 characters, lower-case letters, digits and `-`.
    pub name: String,
}

/// Asks that nobody destroys an app, or allows it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetProtection {
    /// Whether it is to be protected.
    pub on: bool,
}

/// What a change set in motion. Whatever is not `null` can be followed or looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Change {
    /// The app.
    pub app: String,
    /// The release that it made or switched to, for example `v12`.
    pub release: Option<String>,
    /// A build to follow.
    pub build: Option<u32>,
    /// A rollout to follow.
    pub rollout: Option<u32>,
    /// Whether it is kept for the next release.
    #[serde(default, skip_serializing_if = "crate::releases::is_now")]
    pub staged: bool,
    /// Set if there was nothing to do, with the reason in a sentence.
    pub unchanged: Option<String>,
}

/// Asks for other numbers of instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Scale {
    /// How many, per process: `"3"`, or relative to now: `"+1"`, `"-1"`.
    pub processes: BTreeMap<String, String>,
}

/// A running, starting or ended instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Instance {
    /// Process and index, for example `web.1`.
    pub name: String,
    /// The machine; empty if there is none for it.
    pub node: String,
    /// What it is an instance of, for example `v12`.
    pub release: String,
    /// `created`, `running`, `standing by` (a newer release took its place and is being watched),
    /// `lingering` (a newer one did, and it is kept for its files; `detail` says until when),
    /// `draining`, `stopping`, `exited`, `crashed`, `waiting` (a crash loop backs off; `detail` says until
    /// when), `pending` (there is no machine for it; `detail` says why).
    pub state: String,
    /// One word: `starting`, `ready`, `failing`, `hung` (another is to take its place), `-` for what does not
    /// run or cannot be asked.
    pub health: String,
    /// What is to be said of state and health, for example why it ended.
    pub detail: Option<String>,
    /// How often it has been replaced because it ended by itself.
    pub restarts: u32,
    /// Share of a core in thousandths.
    pub cpu_millis: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The most memory it may use, in bytes.
    pub memory_limit: u64,
    /// When it started.
    pub started_at: Option<String>,
    /// The container, for those who look with Docker's own tools.
    pub container: Option<String>,
    /// Address and port on its app's network.
    pub address: Option<String>,
    /// Requests under way.
    pub in_flight: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// When.
    pub at: String,
    /// One word: `created`, `build`, `release`, `rollout`, `config`, `scale`, `instance`,
    /// `maintenance`, `domain`, `certificate`, `session`, `cron`, `alert`, `git`,
    /// `protection`, `destroyed`.
    pub kind: String,
    /// The story in a sentence.
    pub text: String,
    /// Who caused it; `paas` where the platform acted by itself.
    pub by: String,
}
