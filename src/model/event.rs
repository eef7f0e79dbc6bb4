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
    /// A release was made, or is to stay, or is not any more.
    Release,
    /// A rollout moved on.
    Rollout,
    /// Config or secrets were kept for a later release, or dropped again.
    Config,
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
    /// Somebody ran a program beside the app's own.
    Session,
    /// A job by the clock rests or goes on, was run at once, or goes well again.
    Cron,
    /// Something went wrong that a person should look at.
    Alert,
    /// Another branch is deployed when it is pushed.
    Git,
    /// A volume was made, or is full or gone.
    Volume,
    /// An app may not be destroyed any more, or may again.
    Protection,
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
            Self::Config => "config",
            Self::Scale => "scale",
            Self::Instance => "instance",
            Self::Maintenance => "maintenance",
            Self::Domain => "domain",
            Self::Certificate => "certificate",
            Self::Session => "session",
            Self::Cron => "cron",
            Self::Alert => "alert",
            Self::Git => "git",
            Self::Volume => "volume",
            Self::Protection => "protection",
            Self::Destroyed => "destroyed",
        }
    }
}

impl EventKind {
    /// Whether it tells of something that may happen all day long, and must not push out what explains
    /// how the app came to be as it is.
    pub fn is_routine(self) -> bool {
        matches!(self, Self::Session | Self::Cron | Self::Instance)
    }
}

/// How many events are kept per app, not counting what is routine; the oldest go first.
pub const EVENTS_KEPT: usize = 200;

/// How many that are routine are kept beside them.
pub const ROUTINE_KEPT: usize = 100;
