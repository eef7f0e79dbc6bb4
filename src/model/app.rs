//! An app: the only mutable intent. Whatever runs, is built or routed follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AppName, BuildNumber, Config, Incarnation, Maintenance, ProcessName, Release, ReleaseVersion,
    RolloutNumber, Timestamp,
};

/// What a user wants of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its name, for ever.
    pub name: AppName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Moves with every change of intent; status records compare-and-set it.
    pub generation: u64,
    /// Environment of the next release. The releases hold what was in force when they were made.
    pub config: Config,
    /// How many instances of which process, where somebody has said so.
    pub formation: BTreeMap<ProcessName, u16>,
    /// What serves now; `None` before the first healthy release.
    pub current: Option<Incarnation>,
    /// How often a restart was asked for.
    pub restarts: u32,
    /// The newest build, release and rollout; numbers are given out here and never again.
    pub last_build: BuildNumber,
    /// See [`App::last_build`].
    pub last_release: ReleaseVersion,
    /// See [`App::last_build`].
    pub last_rollout: RolloutNumber,
    /// The rollout that is under way.
    pub rollout: Option<RolloutNumber>,
    /// Visitors are told this instead of being served.
    #[serde(default)]
    pub maintenance: Option<Maintenance>,
    /// Set once the app is to vanish; then control removes what it left and at last this record.
    pub destroyed_at: Option<Timestamp>,
}

impl App {
    /// A new app that has nothing yet.
    pub fn new(name: AppName, created_at: Timestamp) -> Self {
        Self {
            name,
            created_at,
            generation: 1,
            config: Config::default(),
            formation: BTreeMap::new(),
            current: None,
            restarts: 0,
            last_build: BuildNumber::default(),
            last_release: ReleaseVersion::default(),
            last_rollout: RolloutNumber::default(),
            rollout: None,
            maintenance: None,
            destroyed_at: None,
        }
    }

    /// How many instances of `process` there shall be under `release`: what the user said with
    /// `paas scale`, else what the release's manifest says, else one.
    pub fn scale_of(&self, process: &ProcessName, release: &Release) -> u16 {
        match (self.formation.get(process), release.processes.get(process)) {
            (_, None) => 0,
            (Some(&count), Some(_)) => count,
            (None, Some(described)) => described.scale,
        }
    }
}

/// The most instances that one process may be scaled to on one machine.
pub const MAX_SCALE: u16 = 100;
