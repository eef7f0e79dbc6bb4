//! An instance: a container of ours as the engine showed it. It is observed and never stored.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{AppName, ImageId, Incarnation, NodeName, ProcessName, Timestamp};

/// The engine's identity of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

/// A place for one instance: process and index, counted from 1. Written `web.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The process.
    pub process: ProcessName,
    /// The index, from 1.
    pub index: u16,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.process, self.index))
    }
}

/// A container of an app, as it was when the engine was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Which container.
    pub id: ContainerId,
    /// Whose.
    pub app: AppName,
    /// Which place it fills.
    pub slot: Slot,
    /// What it is an instance of.
    pub incarnation: Incarnation,
    /// How many instances this slot of this incarnation has had before it, because they ended.
    pub attempt: u32,
    /// What it runs.
    pub image: ImageId,
    /// The node that it is on; `None` for the machine that controls.
    #[serde(default)]
    pub node: Option<NodeName>,
    /// Its address on its app's network, while it runs. Nobody reaches it by that from another machine.
    pub address: Option<IpAddr>,
    /// Where the machine that controls reaches its port, if it is on another one.
    #[serde(skip)]
    pub door: Option<SocketAddr>,
    /// The first process's id on this machine, while it runs.
    pub pid: Option<u32>,
    /// How it is.
    pub state: InstanceState,
}

impl Instance {
    /// Where the machine that controls reaches its port, while it runs.
    pub fn reached_at(&self, port: u16) -> Option<SocketAddr> {
        match self.node {
            None => Some(SocketAddr::new(self.address?, port)),
            Some(_) => self.door,
        }
    }

    /// Whether it has ended and holds nothing but its traces.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, InstanceState::Exited(_))
    }

    /// Since when it runs, if it does.
    pub fn running_since(&self) -> Option<Timestamp> {
        match self.state {
            InstanceState::Running { since } => Some(since),
            InstanceState::Created | InstanceState::Exited(_) => None,
        }
    }
}

/// How a container is, in the order of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    /// Made, not started.
    Created,
    /// Running since then.
    Running {
        /// When it started.
        since: Timestamp,
    },
    /// Ended.
    Exited(Exit),
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code; 128 + the signal's number where a signal ended it.
    pub code: i64,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// The engine's own words, where it could not even start.
    pub error: Option<String>,
    /// When it started; `None` if it never did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

impl Exit {
    /// The first end is forgiven, and the next start immediate, if it came after so long.
    pub const QUICK: Duration = Duration::from_secs(10);

    /// After so long a run the count of ends begins anew.
    pub const STABLE: Duration = Duration::from_mins(5);

    /// How long it ran.
    pub fn ran_for(&self) -> Duration {
        self.started_at.map_or(Duration::ZERO, |started| self.at.since(started))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.out_of_memory, self.code) {
            (Some(error), _, _) => write!(f, "could not start: {error}"),
            (None, true, _) => f.write_str("ran out of memory"),
            (None, false, 137) => f.write_str("was killed (SIGKILL)"),
            (None, false, 139) => f.write_str("crashed (SIGSEGV)"),
            (None, false, 143) => f.write_str("was stopped (SIGTERM)"),
            (None, false, code) => write!(f, "exited with code {code}"),
        }
    }
}
