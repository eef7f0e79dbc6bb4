//! What control saw in its last pass: published for whoever shows it, and the planner's second input.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{AppName, ContainerId, Imbalance, Instance, ReleaseVersion, Sample, Slot, Timestamp};

/// Everything observed in one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// When; the epoch, before the first.
    pub at: Timestamp,
    /// Every instance of every app, by app, in the order of slot, incarnation and attempt.
    pub apps: BTreeMap<AppName, Vec<Observed>>,
    /// Instances that ended, are still wanted, and wait: when each is started again.
    pub waiting: BTreeMap<ContainerId, Timestamp>,
    /// Instances that are wanted, and for whom there is no machine.
    pub pending: BTreeMap<AppName, Vec<Pending>>,
    /// Instances of earlier releases that linger: until when.
    pub lingering: BTreeMap<ContainerId, Timestamp>,
    /// Running instances whose last answers were bad, though not yet often enough to count: what was seen.
    pub doubts: BTreeMap<ContainerId, String>,
    /// Apps that a restart would spread better over the machines.
    pub imbalance: Imbalance,
    /// Why the engine could not be asked, if it could not; then the rest is from the last time.
    pub engine_fault: Option<String>,
}

impl Observation {
    /// Whether anybody has looked since the daemon began: what runs is known then, and not before.
    pub fn has_looked(&self) -> bool {
        self.at != Timestamp::default()
    }
}

/// An instance and what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The container.
    pub instance: Instance,
    /// Whether it can serve.
    pub health: Health,
    /// Requests that the edge has under way on it.
    pub in_flight: u64,
    /// Since when the edge sends it nothing new, if it once did or never will again.
    pub unrouted_since: Option<Timestamp>,
    /// Since when the edge sends it no request of its own accord; it may still ask it for what others do not
    /// have.
    pub unchosen_since: Option<Timestamp>,
    /// Since when it has been told to end.
    pub stopping_since: Option<Timestamp>,
    /// Whether all that it wrote has been kept; a container is not removed before that.
    pub output_kept: bool,
    /// What it answered since the trial under way began, if it is one of the two that are compared.
    pub tried: Option<Sample>,
    /// How much memory it uses, in bytes, and the share of a core in thousandths; `None` before
    /// the first measurement.
    pub usage: Option<Usage>,
}

/// An instance that is wanted, and for whom there is no machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Where it would be.
    pub slot: Slot,
    /// Of which release.
    pub release: ReleaseVersion,
    /// Why there is none, for people.
    pub why: String,
}

/// What an instance uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory.
    pub memory: u64,
    /// Thousandths of a core, over the last few seconds.
    pub cpu_millis: u32,
}

/// Whether an instance can serve, and if not, what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// No good answer yet.
    Starting {
        /// What was seen instead, for people.
        seen: Option<String>,
        /// Where it listens although nobody will look there.
        elsewhere: Vec<SocketAddr>,
    },
    /// The last check was good.
    Ready,
    /// It was ready once; the last checks were bad.
    Failing {
        /// What was seen instead, for people.
        seen: String,
    },
    /// It is taken to hang, and another is to take its place.
    Hung {
        /// What was seen, for people.
        seen: String,
    },
}

impl Health {
    /// Nothing is known yet.
    pub const UNKNOWN: Self = Self::Starting { seen: None, elsewhere: Vec::new() };
}
