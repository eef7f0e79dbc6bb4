//! A release: immutable. Image, config, processes, and why it was made. Undoing something is making
//! a new release that equals an old one.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, BuildNumber, EnvKey, ImageId, MountPath, Process, ProcessName, Secrets,
    SourceDigest, Strategy, Timestamp, build::DeploySettings,
};

/// Environment variables, byte for byte as they were given.
pub type Config = BTreeMap<EnvKey, String>;

/// The most bytes of names and values that one app's config may have in all.
pub const MAX_CONFIG_BYTES: usize = 32 << 10;

/// Counts an app's releases, from 1. Written `v12`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ReleaseVersion(pub u32);

impl ReleaseVersion {
    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ReleaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}", self.0))
    }
}

/// A text that should have been a release such as `v12`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a release; write it like `v12`")]
pub struct InvalidVersion(String);

impl FromStr for ReleaseVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        match digits.parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(InvalidVersion(text.chars().take(40).collect())),
        }
    }
}

/// One release of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub version: ReleaseVersion,
    /// What it runs.
    pub image: ImageId,
    /// The tree that the image was built from.
    pub source: SourceDigest,
    /// The build that made the image.
    pub build: BuildNumber,
    /// The app's config when the release was made.
    pub config: Config,
    /// The app's secrets when the release was made.
    #[serde(default, skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// What can be run.
    pub processes: BTreeMap<ProcessName, Process>,
    /// How it is switched to.
    pub deploy: DeploySettings,
    /// Why it was made.
    pub cause: Cause,
    /// By whom.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

impl Release {
    /// Whether of one of its processes there must not be two instances in the place of one.
    pub fn is_alone(&self, process: &ProcessName) -> bool {
        let described = self.processes.get(process);
        let writes = described.is_some_and(|process| !process.volumes.is_empty());
        writes || self.deploy.takeover.strategy_of(process) == Strategy::Recreate
    }

    /// The open part of its instances' environment: the manifest's, overridden by the app's config, and
    /// without what is a secret, which is delivered apart.
    pub fn environment(&self) -> Config {
        let mut environment = self.deploy.env.clone();
        environment.extend(self.config.clone());
        environment.retain(|name, _| !self.secrets.contains_key(name));
        environment
    }
}

#[cfg(test)]
impl Release {
    /// One that runs nothing, for tests that are not about what it is.
    pub(crate) fn example(app: AppName, version: ReleaseVersion) -> Self {
        let digest = format!("sha256:{:064x}", version.0);
        Self {
            app,
            version,
            image: digest.parse().unwrap(),
            source: digest.parse().unwrap(),
            build: BuildNumber(version.0),
            config: Config::new(),
            secrets: Secrets::new(),
            processes: BTreeMap::new(),
            deploy: DeploySettings::default(),
            cause: Cause::Deploy { build: BuildNumber(version.0) },
            by: Actor::platform(),
            at: Timestamp::default(),
        }
    }
}

impl Release {
    /// A file of its instances that is made of a variable which it does not have.
    pub fn unmade_file(&self) -> Option<(&MountPath, &EnvKey)> {
        let environment = self.environment();
        let unset =
            |name: &EnvKey| !environment.contains_key(name) && !self.secrets.contains_key(name);
        self.deploy.files.iter().find(|(_, name)| unset(name))
    }
}

/// Why a release was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Cause {
    /// New code.
    Deploy {
        /// What built it.
        build: BuildNumber,
    },
    /// New config or secrets.
    Config {
        /// The names that were set.
        set: Vec<EnvKey>,
        /// The names that were removed.
        unset: Vec<EnvKey>,
    },
    /// The same code upon a newer run image.
    Rebase {
        /// Which release's.
        of: ReleaseVersion,
    },
    /// An older release, code and config, again.
    Rollback {
        /// Which.
        to: ReleaseVersion,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deploy { build } => write!(f, "Deploy (build {build})"),
            Self::Config { set, unset } => {
                let names = |keys: &[EnvKey]| {
                    keys.iter().map(EnvKey::as_str).collect::<Vec<_>>().join(", ")
                };
                match (set.is_empty(), unset.is_empty()) {
                    (false, true) => write!(f, "Set {}", names(set)),
                    (true, false) => write!(f, "Unset {}", names(unset)),
                    _ => write!(f, "Set {}; unset {}", names(set), names(unset)),
                }
            }
            Self::Rebase { of } => write!(f, "Rebase of {of}"),
            Self::Rollback { to } => write!(f, "Rollback to {to}"),
        }
    }
}
