//! An engine in memory, for tests and the simulation: deterministic, without a clock of its own.
//!
//! Time moves only by [`Fake::at`]. What containers do is told per app by [`Behaviour`]; what the
//! engine does wrong is told call by call with [`Fake::fail`]. It has no networks of its own: an
//! app's network is there from the first start until it is forgotten.

mod tests;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use super::{
    Checked, Engine, EngineError, ExecSpec, InstanceSpec, OutputLine, RunSpec, Signal, UsageSample,
    VolumeUsers,
};
use crate::model::{
    AppName, ContainerId, Incarnation, Instance, ProcessName, Timestamp, VolumeName,
};
pub(crate) use world::FakeContainer;
use world::{World, broken};

/// The engine; clones share one world.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    world: Arc<Mutex<World>>,
    changed: watch::Sender<u64>,
}

/// How an app's instances behave from their next start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// From the start until it listens; `None`: never.
    pub(crate) listens_after: Option<Duration>,
    /// When it ends by itself, and with which code.
    pub(crate) exits: Option<(Duration, i64)>,
    /// When the kernel ends it for want of memory.
    pub(crate) out_of_memory_after: Option<Duration>,
    /// What it does about SIGTERM.
    pub(crate) on_terminate: OnTerminate,
    /// The engine's words, if it cannot even start.
    pub(crate) start_error: Option<String>,
    /// What it has written by the time it runs.
    pub(crate) output: Vec<OutputLine>,
}

/// What an instance does about SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnTerminate {
    /// It ends at once.
    End,
    /// It ends that much later.
    EndAfter(Duration),
    /// Nothing.
    Ignore,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            listens_after: Some(Duration::ZERO),
            exits: None,
            out_of_memory_after: None,
            on_terminate: OnTerminate::End,
            start_error: None,
            output: Vec::new(),
        }
    }
}

/// What the engine does wrong in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does nothing and answers an error.
    Refuses,
    /// It does what it is told and answers an error: the daemon died between effect and record.
    ActsAndFails,
    /// What it makes it does not start, and it answers an error.
    MakesOnly,
    /// It does nothing and never answers; whoever waits needs a deadline.
    Hangs,
}

impl Fake {
    /// An empty engine at that time.
    pub(crate) fn new(now: Timestamp) -> Self {
        let world = World { now, ..World::default() };
        Self { world: Arc::new(Mutex::new(world)), changed: watch::Sender::new(0) }
    }

    /// Moves time. It never runs backwards.
    pub(crate) fn at(&self, now: Timestamp) {
        let mut world = self.world();
        world.now = world.now.max(now);
        drop(world);
        self.tick();
    }

    /// How the app's next instances behave.
    pub(crate) fn behave(&self, app: &AppName, behaviour: Behaviour) {
        self.world().behaviours.insert(app.clone(), behaviour);
    }

    /// The `nth` call from now (1 is the next) goes wrong. `changes` and `output` are not counted.
    pub(crate) fn fail(&self, nth: u64, fault: Fault) {
        let mut world = self.world();
        let call = world.calls + nth;
        world.faults.push_back((call, fault));
    }

    /// Forgets the faults that have not happened.
    pub(crate) fn heal(&self) {
        self.world().faults.clear();
    }

    /// Calls answered or failed so far.
    pub(crate) fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Who stands still.
    pub(crate) fn frozen(&self) -> BTreeSet<ContainerId> {
        self.world().frozen.clone()
    }

    /// Every container there is.
    pub(crate) fn containers(&self) -> BTreeMap<ContainerId, FakeContainer> {
        self.world().containers.clone()
    }

    /// How often what is to run once was started, by release.
    pub(crate) fn runs(&self) -> BTreeMap<(AppName, Incarnation, ProcessName), u32> {
        self.world().runs.clone()
    }

    /// The apps that have a network.
    pub(crate) fn networks(&self) -> BTreeSet<AppName> {
        self.world().networks.clone()
    }

    /// Whether a readiness check would succeed now.
    pub(crate) fn is_listening(&self, id: &ContainerId) -> bool {
        let world = self.world();
        world.containers.get(id).is_some_and(|container| {
            let since = container.behaviour.listens_after.map(|d| container.started.plus(d));
            container.is_running(world.now) && since.is_some_and(|since| since <= world.now)
        })
    }

    /// Somebody meddles: the container ends, killed.
    pub(crate) fn kill(&self, id: &ContainerId) {
        let mut world = self.world();
        let now = world.now;
        if let Some(container) = world.containers.get_mut(id) {
            container.end_at(now, 137);
        }
        drop(world);
        self.tick();
    }

    /// Somebody meddles: what has ended, or was never started, is started.
    pub(crate) fn revive(&self, id: &ContainerId) {
        let mut world = self.world();
        let now = world.now;
        if let Some(container) = world.containers.get_mut(id) {
            container.start_again(now);
        }
        drop(world);
        self.tick();
    }

    /// Whether it will not listen however long one waits.
    pub(crate) fn never_listens(&self, id: &ContainerId) -> bool {
        let world = self.world();
        world.containers.get(id).is_some_and(|one| one.behaviour.listens_after.is_none())
    }

    /// Somebody meddles: the container is gone.
    pub(crate) fn vanish(&self, id: &ContainerId) {
        self.world().containers.remove(id);
        self.tick();
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test holds it while it panics")
    }

    fn tick(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// One call: counts it, and does `act` unless the call is to go wrong before it.
    async fn call<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut World) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let outcome = self.world().answer(operation, act);
        self.tick();
        match outcome {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

impl Engine for Fake {
    async fn instances(&self) -> Result<Vec<Instance>, EngineError> {
        self.call("container ls", |world| Ok(world.instances())).await
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<ContainerId, EngineError> {
        self.call("container start", |world| Ok(world.start(spec))).await
    }

    /// Well if it listens.
    async fn check(
        &self,
        id: &ContainerId,
        _: &ExecSpec,
        _: Duration,
    ) -> Result<Checked, EngineError> {
        let code = i64::from(!self.is_listening(id));
        Ok(Checked::Exited { code, last: String::new() })
    }

    async fn runs(&self) -> Result<Vec<Instance>, EngineError> {
        self.call("container ls", |world| Ok(world.runs())).await
    }

    async fn start_run(&self, spec: &RunSpec) -> Result<ContainerId, EngineError> {
        self.call("container start", |world| Ok(world.start(&spec.instance))).await
    }

    async fn signal(&self, id: &ContainerId, signal: Signal) -> Result<(), EngineError> {
        self.call("container kill", |world| {
            world.signal(id, signal);
            Ok(())
        })
        .await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.call("container rm", |world| {
            world.containers.remove(id);
            Ok(())
        })
        .await
    }

    async fn forget(&self, app: &AppName) -> Result<(), EngineError> {
        self.call("network rm", |world| world.forget(app)).await
    }

    async fn forget_volume(&self, _: &AppName, volume: &VolumeName) -> Result<(), EngineError> {
        self.call("volume rm", |world| {
            let has = |one: &FakeContainer| one.spec.process.volumes.contains_key(volume);
            let free = !world.containers.values().any(has);
            free.then_some(()).ok_or_else(|| broken("volume rm"))
        })
        .await
    }

    async fn users(&self, app: &AppName, volume: &VolumeName) -> Result<VolumeUsers, EngineError> {
        self.call("container ls", |world| Ok(world.users(app, volume))).await
    }

    async fn freeze(
        &self,
        whom: &BTreeSet<ContainerId>,
    ) -> Result<BTreeSet<ContainerId>, EngineError> {
        self.call("container pause", |world| Ok(world.freeze(whom))).await
    }

    async fn thaw(&self, whom: &BTreeSet<ContainerId>) -> Result<(), EngineError> {
        self.call("container unpause", |world| {
            world.frozen.retain(|id| !whom.contains(id));
            Ok(())
        })
        .await
    }

    async fn is_free(&self, app: &AppName, volume: &VolumeName) -> Result<bool, EngineError> {
        self.call("container ls", |world| {
            let now = world.now;
            let has = |one: &FakeContainer| {
                one.spec.app == *app && one.spec.process.volumes.contains_key(volume)
            };
            Ok(!world.containers.values().any(|one| has(one) && !one.has_ended(now)))
        })
        .await
    }

    /// What it has written, and then the wait for its end.
    fn output(
        &self,
        id: &ContainerId,
        since: Option<Timestamp>,
    ) -> BoxStream<'static, Result<OutputLine, EngineError>> {
        let found = self.world().containers.get(id).map(|one| one.behaviour.output.clone());
        let lines = found.unwrap_or_default().into_iter();
        let lines = lines.filter(move |line| since.is_none_or(|since| line.at >= since));
        let (fake, id, mut changed) = (self.clone(), id.clone(), self.changed.subscribe());
        let end = stream::once(async move {
            let ended = || {
                let world = fake.world();
                world.containers.get(&id).is_none_or(|one| one.has_ended(world.now))
            };
            // Closed channels cannot be: `fake` holds the sender.
            let _ = changed.wait_for(|_| ended()).await;
        });
        let end = end.filter_map(|()| async { None });
        stream::iter(lines.map(Ok).collect::<Vec<_>>()).chain(end).boxed()
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let changed = self.changed.subscribe();
        stream::unfold(changed, |mut changed| async move {
            changed.changed().await.ok().map(|()| ((), changed))
        })
        .boxed()
    }

    async fn usage(&self, id: &ContainerId) -> Result<UsageSample, EngineError> {
        self.call("container stats", |world| {
            let now = world.now;
            let running = world.containers.get(id).filter(|one| !one.has_ended(now));
            running
                .map(|one| UsageSample { memory: 16 << 20, cpu: now.since(one.started) / 100 })
                .ok_or_else(|| broken("container stats"))
        })
        .await
    }
}
