//! A process: what one kind of an app's instances runs, on which port, and how its health shows.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    ByteSize, HealthCheck, Liveness, ProcessName, VolumeName, node::Labels, volume::Mounting,
};

/// One process of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its name, as in the Procfile.
    pub name: ProcessName,
    /// What the container executes, argument by argument.
    pub entrypoint: Vec<String>,
    /// The command as people wrote it, to be shown.
    pub command: String,
    /// Where it takes connections (`$PORT`); `None` for a process that takes none.
    pub port: Option<u16>,
    /// How many instances, where `paas scale` has not said otherwise.
    pub scale: u16,
    /// When an instance counts as ready.
    pub health: HealthCheck,
    /// When it is taken to hang.
    #[serde(default, skip_serializing_if = "Liveness::is_usual")]
    pub liveness: Liveness,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
    /// What an instance may use at most.
    pub limits: Limits,
    /// What its first user may do.
    #[serde(default, skip_serializing_if = "Privileges::are_plain")]
    pub privileges: Privileges,
    /// The disks that it writes to, alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<VolumeName, Mounting>,
    /// The labels that a machine must have for its instances to be on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub place: Labels,
}

impl Process {
    /// One of which nobody says anything but what it runs.
    pub fn plain(name: ProcessName, entrypoint: Vec<String>, command: String) -> Self {
        Self {
            port: name.is_web().then_some(DEFAULT_PORT),
            scale: u16::from(!name.runs_once()),
            name,
            entrypoint,
            command,
            health: HealthCheck::default(),
            liveness: Liveness::default(),
            stop_timeout: DEFAULT_STOP_TIMEOUT,
            limits: Limits::default(),
            privileges: Privileges::Plain,
            volumes: BTreeMap::new(),
            place: Labels::new(),
        }
    }
}

/// What the first user of an instance may do. Nobody ever gains more on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privileges {
    /// Nothing but listen on low ports.
    #[default]
    Plain,
    /// What programs do that begin as root and go on as somebody else: give files away, change
    /// user, signal others. For images that somebody else made.
    Starter,
}

impl Privileges {
    /// Whether there are none.
    pub fn are_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// What one instance may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, swap included.
    pub memory: ByteSize,
    /// Thousandths of a core; `None` shares what is there.
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub pids: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: ByteSize::mib(512), cpu_millis: None, pids: 256 }
    }
}

/// The port that `web` is told to listen on, unless its manifest names another.
pub const DEFAULT_PORT: u16 = 8080;

/// From SIGTERM to SIGKILL, unless the manifest says otherwise.
pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);
