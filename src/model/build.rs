//! A build: source → image. It is a record of its own because it outlives the request that asked
//! for it and ends as an artifact or as a reason that somebody reads later.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, ByteSize, Commit, ImageId, Process, ProcessName, Pushed, ReleaseVersion,
    SourceDigest, Timestamp,
};

/// Counts an app's builds, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BuildNumber(pub u32);

impl BuildNumber {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for BuildNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One attempt to make an image of a source tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub number: BuildNumber,
    /// How far it is.
    pub status: BuildStatus,
    /// The digest of the uploaded tree.
    pub source: SourceDigest,
    /// The files' size in all.
    pub source_bytes: ByteSize,
    /// Who uploaded it.
    pub by: Actor,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When it began and ended.
    pub started_at: Option<Timestamp>,
    /// See [`Build::started_at`].
    pub finished_at: Option<Timestamp>,
    /// How often the daemon ended in the middle of it.
    pub interruptions: u32,
    /// The release that came of it.
    pub release: Option<ReleaseVersion>,
    /// The release whose image is only put upon the present run image; `None` where there is a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebases: Option<ReleaseVersion>,
    /// The commit that the source is of, where git brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The image that the source is, where `docker push` brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Pushed>,
    /// The newer build that it was cancelled for, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<BuildNumber>,
}

impl Build {
    /// What is to be built or being built before this one, if it waits. Builds are made in the order
    /// in which they were asked for.
    pub fn queue_before<'a>(&self, all: &'a [Self]) -> Vec<&'a Self> {
        if self.status != BuildStatus::Queued {
            return Vec::new();
        }
        let open = all.iter().filter(|other| !other.status.is_final());
        let mut before: Vec<_> = open.filter(|other| other.turn() < self.turn()).collect();
        before.sort_by(|a, b| a.turn().cmp(&b.turn()));
        before
    }

    /// Which of those it is that it waits for first: one that is being built, its own app's if there is
    /// one.
    pub fn waits_for<'a>(&self, all: &'a [Self]) -> Option<&'a Self> {
        let before = self.queue_before(all);
        let runs = |other: &&&Self| other.status == BuildStatus::Running;
        let running = || before.iter().filter(runs);
        let own = running().find(|other| other.app == self.app);
        own.or_else(|| running().next()).or(before.first()).copied()
    }

    /// By what the queue is sorted.
    pub fn turn(&self) -> (Timestamp, &AppName, BuildNumber) {
        (self.queued_at, &self.app, self.number)
    }
}

/// What a new build means to those of its app that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Queueing {
    /// They are made before it.
    #[default]
    All,
    /// They are cancelled.
    Newest,
}

/// A text that should have been one of the two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither `all` (every deploy is built in its turn) nor `newest` (it ends those before it)"
)]
pub struct InvalidQueueing(String);

impl FromStr for Queueing {
    type Err = InvalidQueueing;

    fn from_str(text: &str) -> Result<Self, InvalidQueueing> {
        match text {
            "all" => Ok(Self::All),
            "newest" => Ok(Self::Newest),
            _ => Err(InvalidQueueing(text.chars().take(40).collect())),
        }
    }
}

/// How far a build is, in the order of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum BuildStatus {
    /// It waits for its turn.
    Queued,
    /// It is being made.
    Running,
    /// There is an image.
    Succeeded(Artifact),
    /// There is none, and this is why.
    Failed {
        /// What went wrong, for people.
        reason: String,
        /// What to do next.
        hint: Option<String>,
        /// What the lifecycle of buildpacks would have ended with, if it was one of its stages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u8>,
    },
    /// Somebody stopped it, or a newer one took its place.
    Cancelled,
}

impl BuildStatus {
    /// Whether nothing more will happen to this build.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Succeeded(_) | Self::Failed { .. } | Self::Cancelled => true,
        }
    }
}

/// What a build makes: an image, and what in it can be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The image.
    pub image: ImageId,
    /// Its size beyond the base image.
    pub size: ByteSize,
    /// Its processes, with what the manifest says of them.
    pub processes: BTreeMap<ProcessName, Process>,
    /// Settings of the deploy that the manifest carries.
    pub deploy: DeploySettings,
}

/// How a release of this artifact is to be switched to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploySettings {
    /// The longest wait for all new instances to be ready.
    pub timeout: Duration,
    /// The longest wait for the requests of an old instance to end.
    pub drain: Duration,
    /// How it takes over.
    #[serde(default)]
    pub takeover: Box<super::Takeover>,
    /// Environment that the manifest sets; the app's own config wins over it.
    pub env: super::Config,
    /// What is asked of the edge.
    #[serde(default)]
    pub http: Box<super::HttpSettings>,
    /// Who finds it by private names.
    #[serde(default, skip_serializing_if = "super::PrivateSettings::are_usual")]
    pub private: Box<super::PrivateSettings>,
    /// What runs by the clock.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cron: Box<BTreeMap<super::CronName, super::CronJob>>,
    /// Secrets that are made with the release, of random bytes, where the app has none of the name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub generate: Box<BTreeSet<super::EnvKey>>,
    /// Variables and secrets that instances find as files, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<super::MountPath, super::EnvKey>,
    /// How many of the newest releases stay while this one serves; the server's setting without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u16>,
}

impl Default for DeploySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(2),
            drain: Duration::from_secs(30),
            takeover: Box::default(),
            env: super::Config::default(),
            cron: Box::default(),
            http: Box::default(),
            private: Box::default(),
            generate: Box::default(),
            files: BTreeMap::new(),
            keep: None,
        }
    }
}
