//! An event: what happened to an app and why, for people. Control never reads one.

use serde::{Deserialize, Serialize};

use super::{Actor, AppName, Timestamp};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts the events of the platform.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// To which app.
    pub app: AppName,
    /// What kind of thing.
    pub kind: EventKind,
    /// The story in one sentence, with its reason.
    pub text: String,
    /// Who caused it.
    pub by: Actor,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An app was made.
    Created,
    /// A build began, ended or failed.
    Build,
    /// A release was made.
    Release,
    /// A rollout moved on.
    Rollout,
    /// Somebody changed how many instances there are.
    Scale,
    /// An instance ended by itself, or was replaced.
    Instance,
    /// Visitors are told that the app is being worked on, or are served again.
    Maintenance,
    /// A domain was added or removed, or leads elsewhere.
    Domain,
    /// A certificate was issued, failed or is about to end.
    Certificate,
    /// An app is being destroyed.
    Destroyed,
}

impl EventKind {
    /// The kind in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Build => "build",
            Self::Release => "release",
            Self::Rollout => "rollout",
            Self::Scale => "scale",
            Self::Instance => "instance",
            Self::Maintenance => "maintenance",
            Self::Domain => "domain",
            Self::Certificate => "certificate",
            Self::Destroyed => "destroyed",
        }
    }
}

/// How many events are kept per app; the oldest go first.
pub const EVENTS_KEPT: usize = 200;
