//! The engines of all machines as one: this machine's own Docker, and those of nodes, over the link.
//!
//! An instance is found where it is, by its container's id; where a new one is to be, its spec says.
//! Builds and runs are this machine's alone, and volumes have a home, whose [steward](super::steward) is asked. Invariant: what a node was last seen to have counts for
//! a moment after it is lost and then no more, so that its work is done elsewhere; when it is back it
//! has whatever it has, and control ends what is too much.

mod attend;
mod call;
mod doors;
mod files;
mod nodes;
mod own;
mod stock;
mod there;
mod volumes;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::time::Instant;

use self::{
    call::{ask, told},
    own::OwnImages,
};
use super::orders::{Answer, InTheOpen, Order};
use crate::{
    engine::{
        Checked, Engine, EngineError, ExecSpec, ImageEngine, InstanceSpec, OutputLine, RunSpec,
        Seat, Signal, Supply, UsageSample, VolumeUsers, docker::Docker,
    },
    model::{AppName, ContainerId, ImageId, Instance, Timestamp, VolumeName},
    telemetry::chain,
};

pub use nodes::Nodes;
pub use there::There;

/// The engines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fleet {
    docker: Docker,
    nodes: Nodes,
    own: Arc<OwnImages>,
}

impl Fleet {
    /// This machine's Docker, and the nodes that are attended to.
    pub async fn new(docker: Docker, nodes: Nodes) -> Result<Self, EngineError> {
        let engine = docker.engine().await?;
        nodes.begin(docker.clone(), engine);
        Ok(Self { docker, nodes, own: Arc::default() })
    }

    /// Has an order done that ends in what is to be seen there.
    async fn order(
        &self,
        (id, operation): (&ContainerId, &'static str),
        order: Order,
    ) -> Result<Option<()>, EngineError> {
        let Some(far) = self.nodes.of(id) else { return Ok(None) };
        match ask(&far, operation, &order).await? {
            Answer::Done(sight) => {
                self.nodes.sees(&far.node, sight);
                Ok(Some(()))
            }
            other => Err(call::strange(&far, operation, &other)),
        }
    }
}

impl Engine for Fleet {
    fn seats(&self) -> Vec<Seat> {
        [Seat::here()].into_iter().chain(self.nodes.seats()).collect()
    }

    async fn lacking(&self, images: BTreeSet<ImageId>) -> BTreeSet<ImageId> {
        let docker = &self.docker;
        let is_there = |image: ImageId| async move {
            docker.image(image.as_str()).await.map(|found| found.is_some())
        };
        self.own.lacking(images, Instant::now(), is_there).await
    }

    fn provide(&self, supply: Supply) {
        self.nodes.provide(supply);
    }

    async fn reach(&self, ports: &BTreeMap<ContainerId, u16>) -> BTreeMap<ContainerId, SocketAddr> {
        self.nodes.reach(ports).await
    }

    async fn instances(&self) -> Result<Vec<Instance>, EngineError> {
        let mut all = self.docker.instances().await?;
        self.nodes.settled().await;
        all.extend(self.nodes.instances());
        Ok(all)
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<ContainerId, EngineError> {
        let Some(node) = &spec.node else { return self.docker.start(spec).await };
        let far = self.nodes.far(node)?;
        let secrets = InTheOpen::of(&spec.sent);
        let order = Order::Start { spec: Box::new(spec.clone()), secrets };
        match ask(&far, "start", &order).await? {
            Answer::Started(id, sight) => {
                self.nodes.sees(node, sight);
                Ok(id)
            }
            other => Err(call::strange(&far, "start", &other)),
        }
    }

    async fn check(
        &self,
        id: &ContainerId,
        spec: &ExecSpec,
        patience: Duration,
    ) -> Result<Checked, EngineError> {
        let Some(far) = self.nodes.of(id) else {
            return self.docker.check(id, spec, patience).await;
        };
        let secrets = InTheOpen::of(&spec.secrets);
        let command = spec.command.clone();
        let order = Order::Check { id: id.clone(), command, secrets, patience };
        match ask(&far, "exec", &order).await? {
            Answer::Checked(checked) => Ok(checked),
            other => Err(call::strange(&far, "exec", &other)),
        }
    }

    async fn runs(&self) -> Result<Vec<Instance>, EngineError> {
        self.docker.runs().await
    }

    async fn start_run(&self, spec: &RunSpec) -> Result<ContainerId, EngineError> {
        self.docker.start_run(spec).await
    }

    async fn signal(&self, id: &ContainerId, signal: Signal) -> Result<(), EngineError> {
        match self.order((id, "kill"), Order::Signal(id.clone(), signal)).await? {
            Some(()) => Ok(()),
            None => self.docker.signal(id, signal).await,
        }
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        match self.order((id, "rm"), Order::Remove(id.clone())).await? {
            Some(()) => Ok(()),
            None => self.docker.remove(id).await,
        }
    }

    async fn forget(&self, app: &AppName) -> Result<(), EngineError> {
        for far in self.nodes.all() {
            // What a node keeps that is away now is swept when it is back.
            match ask(&far, "forget", &Order::Forget(app.clone())).await {
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(node = %far.node, %app, error = %chain(&error), "traces stay");
                }
            }
        }
        self.docker.forget(app).await
    }

    async fn forget_volume(&self, app: &AppName, volume: &VolumeName) -> Result<(), EngineError> {
        self.docker.forget_volume(app, volume).await
    }

    async fn users(&self, app: &AppName, volume: &VolumeName) -> Result<VolumeUsers, EngineError> {
        self.docker.users(app, volume).await
    }

    async fn freeze(
        &self,
        whom: &BTreeSet<ContainerId>,
    ) -> Result<BTreeSet<ContainerId>, EngineError> {
        self.docker.freeze(whom).await
    }

    async fn thaw(&self, whom: &BTreeSet<ContainerId>) -> Result<(), EngineError> {
        self.docker.thaw(whom).await
    }

    async fn is_free(&self, app: &AppName, volume: &VolumeName) -> Result<bool, EngineError> {
        self.docker.is_free(app, volume).await
    }

    fn output(
        &self,
        id: &ContainerId,
        since: Option<Timestamp>,
    ) -> BoxStream<'static, Result<OutputLine, EngineError>> {
        match self.nodes.of(id) {
            Some(far) => told(far, id.clone(), since),
            None => self.docker.output(id, since),
        }
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let own = self.docker.changes();
        let both = stream::unfold((own, self.nodes.news()), |(mut own, mut news)| async move {
            tokio::select! {
                tick = own.next() => tick?,
                changed = news.changed() => changed.ok()?,
            }
            Some(((), (own, news)))
        });
        both.boxed()
    }

    async fn usage(&self, id: &ContainerId) -> Result<UsageSample, EngineError> {
        let Some(far) = self.nodes.of(id) else { return self.docker.usage(id).await };
        match ask(&far, "stats", &Order::Usage(id.clone())).await? {
            Answer::Usage(sample) => Ok(sample),
            other => Err(call::strange(&far, "stats", &other)),
        }
    }
}
