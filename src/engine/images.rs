//! Images that others made, or that Docker makes of a Dockerfile: looked at, pulled, built.
//!
//! What is built here carries this installation's labels on every stage and on the container of
//! every step, so that all of it can be told from what is the user's.

use std::{collections::BTreeMap, future::Future, path::PathBuf};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::EngineError;
use crate::model::{AppName, ByteSize, ImageId, ImageReference, Timestamp};

/// What is asked of an engine about images besides loading and running them.
pub trait ImageEngine: Clone + Send + Sync + 'static {
    /// What is known of an image, if it is there.
    fn image(
        &self,
        reference: &str,
    ) -> impl Future<Output = Result<Option<ImageFacts>, EngineError>> + Send;

    /// Has the engine get an image from the registry that its name says, with the credentials that
    /// this machine's Docker client has for it.
    fn pull(
        &self,
        reference: &ImageReference,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// The image and its layers as `docker save` writes them, a tar.
    fn save(&self, id: &ImageId) -> BoxStream<'static, std::io::Result<Bytes>>;

    /// Takes a name away, and with its last name an image that nothing is built upon.
    fn untag(&self, name: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Builds an image of a Dockerfile in `context`, a tar. It ends early when the stream is
    /// dropped. Has no deadline of its own.
    fn build_image(
        &self,
        spec: &ImageBuild,
        context: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> BoxStream<'static, Result<ImageNews, EngineError>>;

    /// The labels that are to be on all stages of an app's Dockerfile, or on the image that is made of
    /// another. They need no quoting.
    fn labels(&self, app: &AppName, origin: ImageOrigin) -> BTreeMap<String, String>;

    /// The stages of an app's earlier builds that no image is made of; they serve as a cache.
    fn stages(
        &self,
        app: &AppName,
    ) -> impl Future<Output = Result<Vec<ImageId>, EngineError>> + Send;

    /// Ends and removes the containers of an app's build steps.
    fn remove_steps(&self, app: &AppName) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// What the app's build steps that are there now have written. A sparse file counts as a full one.
    fn steps_written(
        &self,
        app: &AppName,
    ) -> impl Future<Output = Result<ByteSize, EngineError>> + Send;

    /// What the last step of the Dockerfile of an image added to it.
    fn step_added(&self, image: &str)
    -> impl Future<Output = Result<ByteSize, EngineError>> + Send;

    /// The folder in which the engine keeps images and what containers write, on its own machine.
    fn folder(&self) -> impl Future<Output = Result<Option<PathBuf>, EngineError>> + Send;
}

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// `sha256:…`.
    pub id: String,
    /// For instance `amd64`.
    pub architecture: String,
    /// For instance `linux`.
    pub os: String,
    /// Whom it runs as; empty for root.
    pub user: String,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub command: Vec<String>,
    /// The TCP ports of `EXPOSE`, in order.
    pub ports: Vec<u16>,
    /// How many instructions wait for whoever builds upon it.
    pub triggers: usize,
    /// Its size, all layers.
    pub size: ByteSize,
    /// What registries know it by, `name@sha256:…`.
    pub digests: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its layers' uncompressed digests, lowest first.
    pub layers: Vec<String>,
}

/// An image to be built of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBuild {
    /// Whose.
    pub app: AppName,
    /// `repository:tag` of what comes out.
    pub name: String,
    /// The Dockerfile's path in the context.
    pub dockerfile: String,
    /// Values of its arguments.
    pub arguments: BTreeMap<String, String>,
    /// The stage, if not the last.
    pub target: Option<String>,
    /// Where it comes from, for the day on which it is removed.
    pub origin: ImageOrigin,
    /// The most memory that a step may use, swap included.
    pub memory: ByteSize,
    /// When it is asked for, or before.
    pub begun: Timestamp,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// Processes and threads of a step.
    pub pids: u32,
    /// The most that a step may write into one file.
    pub largest_file: ByteSize,
}

/// What an image was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageOrigin {
    /// A Dockerfile.
    Dockerfile,
    /// An image that was in Docker before, and that stays when ours goes.
    Local,
    /// An image that was pulled for it.
    Pulled,
}

/// What a build of an image tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageNews {
    /// A piece of its output, not necessarily a line.
    Text(String),
    /// Its end.
    Made(ImageId),
}
