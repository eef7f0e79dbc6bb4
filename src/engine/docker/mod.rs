//! Docker on this machine, through bollard: the one place of the house that speaks its API.
//!
//! It does what it is told and reports what it sees; it never decides, retries or remembers intent.
//! Whatever it makes carries this installation's label, and nothing without that label is ever
//! listed, changed or removed. Every call has a deadline, because a wedged dockerd answers nothing
//! at all.

mod connection;
mod fault;

mod label;
mod policy;
mod subnet;

mod again;
mod bridge;
mod network;
mod start;

mod check;
mod exec;
mod files;
mod hijack;
mod run;

mod changes;
mod observe;
mod output;
mod usage;

mod builder;
mod credentials;
mod image;
mod pull;
mod recipe;
mod roots;
mod steps;
mod traces;

mod volume;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use bollard::query_parameters::{KillContainerOptions, RemoveContainerOptions};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{
    BuildEngine, Builder, BuilderSpec, Checked, Engine, EngineError, ExecSpec, ImageBuild,
    ImageEngine, ImageFacts, ImageNews, ImageOrigin, InstanceSpec, OutputLine, OwnImage, Root,
    RootError, RunSpec, Signal, Traces, UsageSample, VolumeUsers,
};
use crate::model::{
    AppName, ByteSize, ContainerId, Exit, ImageId, ImageReference, Instance, Timestamp, VolumeName,
};

pub use connection::{Docker, DockerSettings, InstallationId, InvalidInstallation};
pub use exec::{Exec, ExecEnd, ExecId};
pub use image::{Tar, watched};
#[cfg(test)]
pub(crate) use policy::tests::spec as example;
pub use run::Attached;
pub use subnet::{InvalidSubnet, Subnet};

impl Engine for Docker {
    async fn instances(&self) -> Result<Vec<Instance>, EngineError> {
        observe::instances(self).await
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<ContainerId, EngineError> {
        start::start(self, spec).await
    }

    async fn check(
        &self,
        id: &ContainerId,
        spec: &ExecSpec,
        patience: Duration,
    ) -> Result<Checked, EngineError> {
        check::check(self, id, spec, patience).await
    }

    async fn runs(&self) -> Result<Vec<Instance>, EngineError> {
        observe::runs(self).await
    }

    async fn start_run(&self, spec: &RunSpec) -> Result<ContainerId, EngineError> {
        run::start(self, spec).await
    }

    async fn signal(&self, id: &ContainerId, signal: Signal) -> Result<(), EngineError> {
        let name = match signal {
            Signal::Hangup => "SIGHUP",
            Signal::Terminate => "SIGTERM",
            Signal::Kill => "SIGKILL",
        };
        let options = KillContainerOptions { signal: name.to_owned() };
        let sent = self
            .ask("container kill", &id.0, self.api().kill_container(&id.0, Some(options)))
            .await;
        // 404: it is gone. 409: it does not run. Both are what the caller wants in the end.
        fault::accept(sent, &[404, 409])
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        remove_container(self, &id.0).await
    }

    async fn forget(&self, app: &AppName) -> Result<(), EngineError> {
        network::forget(self, app).await?;
        volume::forget_all(self, app).await?;
        image::forget(self, app).await
    }

    async fn forget_volume(&self, app: &AppName, volume: &VolumeName) -> Result<(), EngineError> {
        volume::forget(self, app, volume).await
    }

    async fn users(&self, app: &AppName, volume: &VolumeName) -> Result<VolumeUsers, EngineError> {
        volume::users(self, app, volume).await
    }

    async fn freeze(
        &self,
        whom: &BTreeSet<ContainerId>,
    ) -> Result<BTreeSet<ContainerId>, EngineError> {
        volume::freeze(self, whom).await
    }

    async fn thaw(&self, whom: &BTreeSet<ContainerId>) -> Result<(), EngineError> {
        volume::thaw(self, whom).await
    }

    async fn is_free(&self, app: &AppName, volume: &VolumeName) -> Result<bool, EngineError> {
        volume::is_free(self, app, volume).await
    }

    fn output(
        &self,
        id: &ContainerId,
        since: Option<Timestamp>,
    ) -> BoxStream<'static, Result<OutputLine, EngineError>> {
        output::output(self, id, since)
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        changes::changes(self)
    }

    async fn usage(&self, id: &ContainerId) -> Result<UsageSample, EngineError> {
        usage::usage(self, id).await
    }
}

impl BuildEngine for Docker {
    async fn start_builder(&self, spec: &BuilderSpec) -> Result<ContainerId, EngineError> {
        builder::start(self, spec).await
    }

    async fn wait_builder(&self, id: &ContainerId) -> Result<Exit, EngineError> {
        builder::wait(self, id).await
    }

    async fn builder_output(&self, id: &ContainerId) -> Result<String, EngineError> {
        builder::output(self, id).await
    }

    async fn builder_traces(&self, id: &ContainerId) -> Result<Traces, EngineError> {
        traces::of(self, id).await
    }

    async fn builders(&self) -> Result<Vec<Builder>, EngineError> {
        builder::all(self).await
    }

    async fn remove_builder(&self, id: &ContainerId) -> Result<(), EngineError> {
        remove_container(self, &id.0).await
    }

    async fn image_layers(&self, id: &ImageId) -> Result<Option<Vec<String>>, EngineError> {
        image::layers(self, id).await
    }

    async fn load(
        &self,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<(), EngineError> {
        image::load(self, tar).await
    }

    async fn tag(&self, id: &ImageId, name: &str) -> Result<(), EngineError> {
        image::tag(self, id, name).await
    }

    async fn images(&self) -> Result<Vec<OwnImage>, EngineError> {
        image::list(self).await
    }

    async fn remove_image(&self, id: &ImageId) -> Result<(), EngineError> {
        image::remove(self, id).await
    }

    async fn pull_roots(
        &self,
        reference: &str,
        roots: &[Root],
        first_contact: Duration,
    ) -> Result<(), RootError> {
        roots::make(self, reference, roots, first_contact).await
    }

    async fn change_root(&self, image: &ImageId, root: &Root) -> Result<(), RootError> {
        roots::change(self, image, root).await
    }

    async fn remove_root(&self, name: &'static str) -> Result<(), EngineError> {
        remove_container(self, &label::root_name(self.installation(), name)).await
    }
}

impl ImageEngine for Docker {
    async fn image(&self, reference: &str) -> Result<Option<ImageFacts>, EngineError> {
        recipe::facts(self, reference).await
    }

    async fn pull(&self, reference: &ImageReference) -> Result<(), EngineError> {
        recipe::get(self, reference).await
    }

    fn save(&self, id: &ImageId) -> BoxStream<'static, std::io::Result<Bytes>> {
        recipe::save(self, id)
    }

    async fn untag(&self, name: &str) -> Result<(), EngineError> {
        recipe::untag(self, name).await
    }

    fn build_image(
        &self,
        spec: &ImageBuild,
        context: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> BoxStream<'static, Result<ImageNews, EngineError>> {
        recipe::build(self, spec, context)
    }

    fn labels(&self, app: &AppName, origin: ImageOrigin) -> BTreeMap<String, String> {
        recipe::labels(self, app, origin)
    }

    async fn stages(&self, app: &AppName) -> Result<Vec<ImageId>, EngineError> {
        recipe::stages(self, app).await
    }

    async fn remove_steps(&self, app: &AppName) -> Result<(), EngineError> {
        steps::remove(self, app).await
    }

    async fn steps_written(&self, app: &AppName) -> Result<ByteSize, EngineError> {
        steps::written(self, app).await
    }

    async fn step_added(&self, image: &str) -> Result<ByteSize, EngineError> {
        recipe::added(self, image).await
    }

    async fn folder(&self) -> Result<Option<PathBuf>, EngineError> {
        recipe::folder(self).await
    }
}

/// Removes a container with its anonymous volumes, running or not.
async fn remove_container(docker: &Docker, name: &str) -> Result<(), EngineError> {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    let removed =
        docker.ask("container rm", name, docker.api().remove_container(name, Some(options))).await;
    // 409: "removal of container … is already in progress", which ends the same way.
    fault::accept(removed, &[404, 409])
}
