//! The progress of a build and of the rollout after it, as a stream that can be left and joined
//! again at any time: it always begins with all that has happened so far.

use serde::{Deserialize, Serialize};

/// One line of the stream. The last one is `done` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum Frame {
    /// The build waits; so many others are before it.
    Queued {
        /// How many.
        ahead: u32,
        /// The last one of those, for example `blog #12`.
        #[serde(default)]
        behind: Option<String>,
        /// The one that it waits for first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        awaits: Option<Awaited>,
    },
    /// A phase began: `build`, `export`, `release`, `start`, `shift`, `watch`, `wave 2 of 3`, `drain`.
    Phase {
        /// Its name.
        name: String,
        /// When it began.
        at: String,
    },
    /// A line that the build wrote.
    Log {
        /// The line.
        text: String,
    },
    /// The image is there.
    Image {
        /// Its id.
        image: String,
        /// Its size beyond the base image, in bytes.
        bytes: u64,
    },
    /// The release was made.
    Release {
        /// For example `v12`.
        release: String,
    },
    /// How the new instances do; sent whenever that changes.
    Instances {
        /// All of them.
        instances: Vec<InstanceProgress>,
    },
    /// The release serves.
    Done {
        /// For example `v12`.
        release: String,
        /// Where it answers.
        urls: Vec<String>,
        /// Why it answers nowhere, and what to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<Remark>,
        /// For a while it is watched, and undone if it dies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        watched: Option<Watched>,
        /// Milliseconds from the request to this.
        took_ms: u64,
    },
    /// It does not, and what served before serves on.
    Failed {
        /// `build`, `rebase` or `rollout`.
        stage: String,
        /// What failed and why.
        reason: String,
        /// What to do next.
        hint: Option<String>,
        /// The last lines of the instance that failed.
        last_lines: Vec<String>,
        /// What serves on, for example `v11`.
        still_serving: Option<String>,
    },
    /// A frame of a newer server.
    #[serde(other)]
    Unknown,
}

/// A build that another one waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Awaited {
    /// Whose.
    pub app: String,
    /// Which.
    pub build: u32,
    /// Who asked for it.
    pub by: String,
    /// One word: `running` or `queued`.
    pub status: String,
    /// For how many milliseconds it has been so.
    pub since_ms: u64,
}

/// What happens if a release that has taken over dies soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Watched {
    /// What takes over again, for example `v11`.
    pub fallback: String,
    /// Milliseconds until it is not watched any more.
    pub left_ms: u64,
}

/// Something that a user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Remark {
    /// What is so.
    pub text: String,
    /// What to do next.
    pub hint: String,
}

/// One new instance on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InstanceProgress {
    /// For example `web.1`.
    pub name: String,
    /// One word: `starting`, `ready`, `failing`, `exited`; a command that runs once is `running`.
    pub state: String,
    /// What is missing, or why it ended.
    pub detail: Option<String>,
}
