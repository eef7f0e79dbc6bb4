//! A build: source → image. It is a record of its own because it outlives the request that asked
//! for it and ends as an artifact or as a reason that somebody reads later.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Actor, AppName, ByteSize, Process, ProcessName, ReleaseVersion, Timestamp};

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

/// `sha256:` and 64 hexadecimal digits: the identity of an image's configuration, as Docker has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageId(String);

impl ImageId {
    /// The identity with its `sha256:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `sha256:` and 64 hexadecimal digits over a source tree: names, modes and contents in order,
/// without times and owners, so that the same files have the same digest wherever they come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceDigest(String);

impl SourceDigest {
    /// The digest with its `sha256:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that should have been `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sha256 digest")]
pub struct InvalidDigest;

impl FromStr for ImageId {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        sha256(text).map(Self)
    }
}

impl FromStr for SourceDigest {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        sha256(text).map(Self)
    }
}

impl TryFrom<String> for ImageId {
    type Error = InvalidDigest;
    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl TryFrom<String> for SourceDigest {
    type Error = InvalidDigest;
    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> Self {
        id.0
    }
}

impl From<SourceDigest> for String {
    fn from(digest: SourceDigest) -> Self {
        digest.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SourceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn sha256(text: &str) -> Result<String, InvalidDigest> {
    let digits = text.strip_prefix("sha256:").ok_or(InvalidDigest)?;
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digits.len() == 64 && digits.bytes().all(lower_hex) {
        Ok(text.to_owned())
    } else {
        Err(InvalidDigest)
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
    /// Environment that the manifest sets; the app's own config wins over it.
    pub env: super::Config,
}

impl Default for DeploySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(2),
            drain: Duration::from_secs(30),
            env: super::Config::default(),
        }
    }
}
