//! A rollout: the way from what serves to what shall serve. One per app is under way at a time.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AppName, ReleaseVersion, Timestamp};

/// Counts an app's rollouts, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RolloutNumber(pub u32);

impl RolloutNumber {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RolloutNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What instances are instances of: a release, and how many restarts had been asked for. A restart
/// is a rollout to the same release with one restart more, and hence as gentle as a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// The release.
    pub release: ReleaseVersion,
    /// Restarts asked for so far.
    pub restart: u32,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.release, self.restart)
    }
}

/// One switch of an app from one incarnation to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub number: RolloutNumber,
    /// What served when it began.
    pub from: Option<Incarnation>,
    /// What shall serve.
    pub to: Incarnation,
    /// How far it is.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// When the present phase began.
    pub phase_at: Timestamp,
}

/// How far a rollout is, in the order of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// New instances start beside the old; the old serve.
    Starting,
    /// All new instances are ready and take over the traffic.
    Shifting,
    /// The new serve; the old finish what they began.
    Draining,
    /// Only the new are left.
    Done,
    /// The new never became ready; the old serve on.
    Failed {
        /// Why, for people.
        reason: String,
        /// What to do next.
        hint: Option<String>,
        /// The last lines of the instance that failed.
        last_lines: Vec<String>,
    },
    /// A newer rollout took its place before it was done.
    Superseded,
}

impl Phase {
    /// Whether nothing more will happen in this rollout.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Starting | Self::Shifting | Self::Draining => false,
            Self::Done | Self::Failed { .. } | Self::Superseded => true,
        }
    }

    /// The phase in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Shifting => "shifting",
            Self::Draining => "draining",
            Self::Done => "done",
            Self::Failed { .. } => "failed",
            Self::Superseded => "superseded",
        }
    }
}
