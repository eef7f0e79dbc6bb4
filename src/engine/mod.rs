//! Where things run: the only door to a container engine.
//!
//! [`Engine`] says what control needs of one, in the house's own words; [`docker::Docker`] is Docker
//! on this machine. Everything is idempotent: names are fixed by what a thing is, "is already so" is
//! success. Nothing here decides; an engine does what it is told and reports what it sees.
//! Every call has a deadline, after which it fails with [`EngineError::Timeout`].

mod console;
pub mod docker;
#[cfg(test)]
pub(crate) mod fake;
mod image_name;
mod images;
mod memory;
mod roots;
mod seats;
mod spec;
mod volumes;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::model::{
    AppName, BuildNumber, ByteSize, ContainerId, ImageId, Instance, Timestamp, VolumeName,
};

pub use console::{Checked, Ends, ExecSpec, Piece, RunSpec};
pub use image_name::image_name;
pub use images::{ImageBuild, ImageEngine, ImageFacts, ImageNews, ImageOrigin};
pub use memory::MachineMemory;
pub use roots::{Root, RootError};
pub use seats::{Seat, Supply};
pub use spec::{Handed, InstanceSpec, place};
pub use volumes::{Disk, VolumeUsers};

/// What control and builds need of a container engine.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Where instances can be started, this machine first.
    fn seats(&self) -> Vec<Seat> {
        vec![Seat::here()]
    }

    /// Which of these images this machine does not have.
    fn lacking(
        &self,
        _images: BTreeSet<ImageId>,
    ) -> impl Future<Output = BTreeSet<ImageId>> + Send {
        std::future::ready(BTreeSet::new())
    }

    /// Has every other machine get the images that it is to have, and drop what is none of them and not in use. It
    /// is only begun here; [`Engine::seats`] tells how far it is.
    fn provide(&self, _supply: Supply) {}

    /// Opens doors to this port of these instances, where they are on other machines, and closes all others.
    /// Says where they are: the doors of those who have one.
    fn reach(
        &self,
        _ports: &BTreeMap<ContainerId, u16>,
    ) -> impl Future<Output = BTreeMap<ContainerId, SocketAddr>> + Send {
        async { BTreeMap::new() }
    }

    /// Every container of an app of this installation, running or not.
    fn instances(&self) -> impl Future<Output = Result<Vec<Instance>, EngineError>> + Send;

    /// Makes the instance's network and container, unless they are there, and starts it.
    fn start(
        &self,
        spec: &InstanceSpec,
    ) -> impl Future<Output = Result<ContainerId, EngineError>> + Send;

    /// Runs a program inside an instance to its end, or kills it after `patience`.
    fn check(
        &self,
        id: &ContainerId,
        spec: &ExecSpec,
        patience: Duration,
    ) -> impl Future<Output = Result<Checked, EngineError>> + Send;

    /// Every container of a run of this installation, running or not.
    fn runs(&self) -> impl Future<Output = Result<Vec<Instance>, EngineError>> + Send;

    /// Makes and starts the container of a run that nobody talks to. One that was started before is
    /// never started again.
    fn start_run(
        &self,
        spec: &RunSpec,
    ) -> impl Future<Output = Result<ContainerId, EngineError>> + Send;

    /// Sends a signal to an instance; one that has ended, or is gone, is fine.
    fn signal(
        &self,
        id: &ContainerId,
        signal: Signal,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Removes an instance's container, running or not; one that is gone is fine.
    fn remove(&self, id: &ContainerId) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Removes what an app leaves besides its containers: its network, its images, and what the engine
    /// knows of its volumes. No byte of a volume is the engine's to remove.
    fn forget(&self, app: &AppName) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Forgets a volume; it is refused while a container has it, running or not.
    fn forget_volume(
        &self,
        app: &AppName,
        volume: &VolumeName,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Whoever has a volume and is alive.
    fn users(
        &self,
        app: &AppName,
        volume: &VolumeName,
    ) -> impl Future<Output = Result<VolumeUsers, EngineError>> + Send;

    /// Makes these stand still, and says whom it made to: not one that stood still already, or has ended.
    fn freeze(
        &self,
        whom: &BTreeSet<ContainerId>,
    ) -> impl Future<Output = Result<BTreeSet<ContainerId>, EngineError>> + Send;

    /// Has those of these go on that stand still.
    fn thaw(
        &self,
        whom: &BTreeSet<ContainerId>,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Whether no container has a volume that runs or could still be started.
    fn is_free(
        &self,
        app: &AppName,
        volume: &VolumeName,
    ) -> impl Future<Output = Result<bool, EngineError>> + Send;

    /// The output of an instance from `since` on; it ends when the instance ends.
    fn output(
        &self,
        id: &ContainerId,
        since: Option<Timestamp>,
    ) -> BoxStream<'static, Result<OutputLine, EngineError>>;

    /// A tick whenever a container of ours changes; a level, not a log: ticks may be merged. It ends
    /// when the connection to the engine is lost; the caller asks again.
    fn changes(&self) -> BoxStream<'static, ()>;

    /// Memory and processor time of an instance, at once.
    fn usage(
        &self,
        id: &ContainerId,
    ) -> impl Future<Output = Result<UsageSample, EngineError>> + Send;
}

/// What an instance can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// SIGHUP: whoever talked to it is gone.
    Hangup,
    /// SIGTERM: finish and end.
    Terminate,
    /// SIGKILL: end.
    Kill,
}

/// One line that an instance wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// When the engine read it.
    pub at: Timestamp,
    /// Where it was written.
    pub stream: OutputStream,
    /// The line without its end; bytes that are not UTF-8 are replaced, and a line longer than
    /// [`MAX_LINE`] is cut into several.
    pub text: String,
}

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutputStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The longest line that is kept in one piece, in bytes.
pub const MAX_LINE: usize = 16 << 10;

/// What an instance has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageSample {
    /// Bytes of memory, page cache that can be dropped left out.
    pub memory: u64,
    /// Processor time since its start.
    pub cpu: Duration,
}

/// A container in which a build runs, and what of this machine it may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderSpec {
    /// Whose build.
    pub app: AppName,
    /// Which build.
    pub build: BuildNumber,
    /// The build image.
    pub image: ImageId,
    /// The command, argument by argument; it runs as [`BuilderSpec::user`].
    pub command: Vec<String>,
    /// `uid:gid`.
    pub user: String,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Folders of this machine, and where they appear.
    pub mounts: Vec<Mount>,
    /// The most memory it may use, swap included.
    pub memory: ByteSize,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
}

/// A folder or file of this machine inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// On this machine.
    pub source: PathBuf,
    /// In the container.
    pub target: String,
    /// Whether the container may write to it.
    pub access: Access,
}

/// What a container may do with a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look.
    ReadOnly,
    /// Look and change.
    ReadWrite,
}

/// A builder that was found or started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// The container.
    pub id: ContainerId,
    /// Whose build.
    pub app: AppName,
    /// Which build.
    pub build: BuildNumber,
}

/// What a build has left in its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// Nothing runs in it but its first process, and memory never ran out.
    pub alone: bool,
    /// The paths of its own filesystem that are not as in its image.
    pub changed: Vec<PathBuf>,
}

/// Running build containers; apart from [`Engine`] because only one machine builds.
pub trait BuildEngine: ImageEngine {
    /// Makes and starts a build container.
    fn start_builder(
        &self,
        spec: &BuilderSpec,
    ) -> impl Future<Output = Result<ContainerId, EngineError>> + Send;

    /// Waits until a build container ends and says how; has no deadline of its own.
    fn wait_builder(
        &self,
        id: &ContainerId,
    ) -> impl Future<Output = Result<crate::model::Exit, EngineError>> + Send;

    /// The output of a builder that could not even start its work, for the error message.
    fn builder_output(
        &self,
        id: &ContainerId,
    ) -> impl Future<Output = Result<String, EngineError>> + Send;

    /// What a build has left in its container, besides what it wrote to mounts and to `/tmp`.
    fn builder_traces(
        &self,
        id: &ContainerId,
    ) -> impl Future<Output = Result<Traces, EngineError>> + Send;

    /// Build containers that exist, for instance after a crash.
    fn builders(&self) -> impl Future<Output = Result<Vec<Builder>, EngineError>> + Send;

    /// Ends and removes a build container; one that is gone is fine.
    fn remove_builder(
        &self,
        id: &ContainerId,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Whether the image is there, and its layers' uncompressed digests (`sha256:…`, lowest first).
    fn image_layers(
        &self,
        id: &ImageId,
    ) -> impl Future<Output = Result<Option<Vec<String>>, EngineError>> + Send;

    /// Loads a tar of images (`docker load`).
    fn load(
        &self,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Gives an image one name more; see [`image_name`].
    fn tag(&self, id: &ImageId, name: &str)
    -> impl Future<Output = Result<(), EngineError>> + Send;

    /// The images that have a name or a label of this installation.
    fn images(&self) -> impl Future<Output = Result<Vec<OwnImage>, EngineError>> + Send;

    /// Takes this installation's names away from an image, and removes it if nobody else named it; one
    /// that is gone is fine, one in use is refused.
    fn remove_image(&self, id: &ImageId) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Pulls an image and makes root filesystems of it; fails after `first_contact` if no registry
    /// has answered by then. An image that is there already is not asked for.
    fn pull_roots(
        &self,
        reference: &str,
        roots: &[Root],
        first_contact: Duration,
    ) -> impl Future<Output = Result<(), RootError>> + Send;

    /// Runs a script as root in a container of an image that is there, with a network, and with the
    /// folder `root.into` at `/out`. What it leaves there is all that stays.
    fn change_root(
        &self,
        image: &ImageId,
        root: &Root,
    ) -> impl Future<Output = Result<(), RootError>> + Send;

    /// Removes the container of a root that a crash left; one that is gone is fine.
    fn remove_root(
        &self,
        name: &'static str,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;
}

/// An image that this installation made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// Which.
    pub id: ImageId,
    /// The names that this installation gave it.
    pub tags: Vec<String>,
    /// The app it was built for; `None` for a base image.
    pub app: Option<AppName>,
    /// What it is.
    pub role: ImageRole,
}

/// What an image that this installation made is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRole {
    /// It can be run.
    Whole,
    /// It can be run, and a Dockerfile made it.
    OfDockerfile,
    /// It is a stage of a Dockerfile, kept for the next build.
    Stage,
}

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody answers at the socket.
    #[error("Docker does not answer at {socket}")]
    Unreachable {
        /// Where it was looked for.
        socket: String,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It did not answer in time.
    #[error("Docker did not answer `{operation}` within {after:?}")]
    Timeout {
        /// What it was asked.
        operation: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// It refused.
    #[error("Docker refused `{operation}` of {subject}: {message}")]
    Refused {
        /// What it was asked.
        operation: &'static str,
        /// About what.
        subject: String,
        /// The HTTP status; 0 where there was none.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// There is no room on the disk.
    #[error("no space left on Docker's disk while doing `{operation}`")]
    DiskFull {
        /// What it was asked.
        operation: &'static str,
    },
}
