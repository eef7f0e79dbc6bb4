//! What a build is asked with: what all builds have in common, and what one build is of.
//!
//! Plain data; nothing is checked here that its types do not say.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use buildpacks::Target;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    base::BaseImage,
    error::BuildError,
    progress::{Progress, Stage},
};
use crate::{
    engine::image_name,
    model::{AppName, BuildNumber, ByteSize, OpenSecrets},
};

/// What all builds of a daemon have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which installation this is; every image gets a name with it.
    pub installation: String,
    /// The folder with one folder per app.
    pub apps: PathBuf,
    /// The folder of caches that builds of all apps share.
    pub cache: PathBuf,
    /// The `/cnb` tree, as `buildpacks::cnb::materialise` writes it.
    pub cnb: PathBuf,
    /// The file that becomes the launcher of every image.
    pub launcher: PathBuf,
    /// The shelf of toolchains.
    pub toolchains: PathBuf,
    /// The folder with the socket at which toolchains are asked for, and the socket's name in it.
    pub toolchain_socket: (PathBuf, String),
    /// The certificates that this machine trusts.
    pub ca_bundle: Option<PathBuf>,
    /// Environment of every build: registries, proxies, certificates. It reaches the buildpacks,
    /// never the image.
    pub environment: BTreeMap<String, String>,
    /// The images that apps run on and are built in.
    pub run: BaseImage,
    /// See [`Settings::run`].
    pub build: BaseImage,
    /// The folder of base images with packages.
    pub variants: PathBuf,
    /// apt's configuration folder, which names this host's Debian mirror.
    pub apt: PathBuf,
    /// What is built for.
    pub target: Target,
    /// How long a build container waits for the next build of its app; zero is not at all.
    pub keep: Duration,
}

impl Settings {
    /// What the image of a build is called.
    pub(super) fn image_name(&self, request: &BuildRequest) -> String {
        image_name(request.app.as_str(), &self.installation, &request.number.to_string())
    }
}

/// One build.
#[derive(Debug)]
pub struct BuildRequest {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub number: BuildNumber,
    /// The unpacked tree; it is only read, so that a build can be begun again.
    pub source: PathBuf,
    /// What it may use, where `paas.toml` does not say otherwise.
    pub limits: BuildLimits,
    /// The app's own configuration, as far as builds may see it.
    pub environment: BTreeMap<String, String>,
    /// The app's secrets; the build sees those that its manifest names.
    pub secrets: OpenSecrets,
    /// Ends it early.
    pub cancel: CancellationToken,
    /// Where its news go; when full, the build waits.
    pub progress: mpsc::Sender<Progress>,
}

/// What a build may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildLimits {
    /// Memory, swap included.
    pub memory: ByteSize,
    /// The most that `paas.toml` may ask for.
    pub most_memory: ByteSize,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
    /// The app's folders and what is added to shared caches, together.
    pub disk: ByteSize,
    /// What stays free on the disk, or a twentieth of it if that is less.
    pub reserve: ByteSize,
    /// The longest it may take.
    pub timeout: Duration,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(2048),
            most_memory: ByteSize::mib(16 << 10),
            cpu_millis: 2000,
            pids: 1024,
            disk: ByteSize::mib(10 << 10),
            reserve: ByteSize::mib(1024),
            timeout: Duration::from_mins(15),
        }
    }
}

impl BuildRequest {
    /// Between two stages: an error if it is to end.
    pub(super) fn go_on(&self) -> Result<(), BuildError> {
        if self.cancel.is_cancelled() { Err(BuildError::Cancelled) } else { Ok(()) }
    }

    /// A listener that went away does not stop a build.
    pub(super) async fn tell(&self, stage: Stage) {
        let _ = self.progress.send(Progress::Stage(stage)).await;
    }

    /// A line for the log.
    pub(super) async fn say(&self, line: String) {
        let _ = self.progress.send(Progress::Line(line)).await;
    }
}
