//! An engine in memory, for tests and the simulation: deterministic, without a clock of its own.
//!
//! Time moves only by [`Fake::at`]. What containers do is told per app by [`Behaviour`]; what the
//! engine does wrong is told call by call with [`Fake::fail`]. It has no networks of its own: an
//! app's network is there from the first start until it is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use super::{Engine, EngineError, InstanceSpec, OutputLine, Signal, UsageSample};
use crate::model::{AppName, ContainerId, Exit, Instance, InstanceState, Timestamp};

/// The engine; clones share one world.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    world: Arc<Mutex<World>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct World {
    now: Timestamp,
    made: u32,
    calls: u64,
    containers: BTreeMap<ContainerId, FakeContainer>,
    networks: BTreeSet<AppName>,
    behaviours: BTreeMap<AppName, Behaviour>,
    faults: VecDeque<(u64, Fault)>,
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
    /// It does nothing and never answers; whoever waits needs a deadline.
    Hangs,
}

/// A container of the fake, for assertions.
#[derive(Debug, Clone)]
pub(crate) struct FakeContainer {
    /// What it was made of.
    pub(crate) spec: InstanceSpec,
    /// When it was started.
    pub(crate) started: Timestamp,
    /// When and how it will end, or has ended.
    pub(crate) end: Option<Exit>,
    behaviour: Behaviour,
    number: u32,
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

    /// Every container there is.
    pub(crate) fn containers(&self) -> BTreeMap<ContainerId, FakeContainer> {
        self.world().containers.clone()
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
            !container.has_ended(world.now) && since.is_some_and(|since| since <= world.now)
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

impl World {
    /// `None` is an answer that never comes.
    fn answer<T>(
        &mut self,
        operation: &'static str,
        act: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Option<Result<T, EngineError>> {
        self.calls += 1;
        let call = self.calls;
        let fault = self.faults.iter().find(|(at, _)| *at == call).map(|(_, fault)| *fault);
        self.faults.retain(|(at, _)| *at > call);
        match fault {
            None => Some(act(self)),
            Some(Fault::Refuses) => Some(Err(broken(operation))),
            Some(Fault::ActsAndFails) => Some(act(self).and(Err(broken(operation)))),
            Some(Fault::Hangs) => None,
        }
    }

    fn start(&mut self, spec: &InstanceSpec) -> ContainerId {
        self.networks.insert(spec.app.clone());
        let same = |one: &&FakeContainer| {
            let place = |spec: &InstanceSpec| {
                (spec.app.clone(), spec.slot.clone(), spec.incarnation, spec.attempt)
            };
            place(&one.spec) == place(spec)
        };
        let found = self.containers.iter().find(|(_, one)| same(one));
        match found.map(|(id, one)| (id.clone(), one.spec == *spec)) {
            Some((id, true)) => return id,
            Some((id, false)) => drop(self.containers.remove(&id)),
            None => {}
        }
        self.made += 1;
        let id = ContainerId(format!("fake{:08}", self.made));
        let behaviour = self.behaviours.get(&spec.app).cloned().unwrap_or_default();
        let container = FakeContainer::start(spec.clone(), behaviour, self.made, self.now);
        self.containers.insert(id.clone(), container);
        id
    }

    fn signal(&mut self, id: &ContainerId, signal: Signal) {
        let now = self.now;
        let Some(container) = self.containers.get_mut(id) else { return };
        match (signal, container.behaviour.on_terminate) {
            (Signal::Kill, _) => container.end_at(now, 137),
            (Signal::Terminate, OnTerminate::End) => container.end_at(now, 143),
            (Signal::Terminate, OnTerminate::EndAfter(delay)) => {
                container.end_at(now.plus(delay), 143);
            }
            (Signal::Terminate, OnTerminate::Ignore) => {}
        }
    }

    fn instances(&self) -> Vec<Instance> {
        let mut instances: Vec<Instance> =
            self.containers.iter().map(|(id, one)| one.observed(id, self.now)).collect();
        instances.sort_by(|a, b| {
            let key =
                |one: &Instance| (one.app.clone(), one.slot.clone(), one.incarnation, one.attempt);
            key(a).cmp(&key(b))
        });
        instances
    }

    fn forget(&mut self, app: &AppName) -> Result<(), EngineError> {
        if self.containers.values().any(|one| one.spec.app == *app && !one.has_ended(self.now)) {
            return Err(EngineError::Refused {
                operation: "network rm",
                subject: app.to_string(),
                status: 403,
                message: "the network has active endpoints".to_owned(),
            });
        }
        self.networks.remove(app);
        Ok(())
    }
}

impl FakeContainer {
    fn start(spec: InstanceSpec, behaviour: Behaviour, number: u32, now: Timestamp) -> Self {
        let exit = |at, code, out_of_memory, error: Option<String>| Exit {
            code,
            out_of_memory,
            started_at: error.is_none().then_some(now),
            error,
            at,
        };
        let failed = behaviour.start_error.clone().map(|error| exit(now, 127, false, Some(error)));
        let memory = behaviour.out_of_memory_after.map(|d| exit(now.plus(d), 137, true, None));
        let itself = behaviour.exits.map(|(d, code)| exit(now.plus(d), code, false, None));
        let end = failed.into_iter().chain(memory).chain(itself).min_by_key(|exit| exit.at);
        Self { spec, started: now, end, behaviour, number }
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        self.end.as_ref().is_some_and(|end| end.at <= now)
    }

    /// An end that comes earlier stands.
    fn end_at(&mut self, at: Timestamp, code: i64) {
        if self.end.as_ref().is_none_or(|end| end.at > at) {
            let started_at = Some(self.started);
            self.end = Some(Exit { code, out_of_memory: false, error: None, started_at, at });
        }
    }

    fn observed(&self, id: &ContainerId, now: Timestamp) -> Instance {
        let ended = self.end.clone().filter(|end| end.at <= now);
        let running = ended.is_none();
        let [_, _, high, low] = self.number.to_be_bytes();
        Instance {
            id: id.clone(),
            app: self.spec.app.clone(),
            slot: self.spec.slot.clone(),
            incarnation: self.spec.incarnation,
            attempt: self.spec.attempt,
            image: self.spec.image.clone(),
            address: running.then_some(IpAddr::V4(Ipv4Addr::new(10, 210, high, low))),
            pid: running.then_some(100_000 + self.number),
            state: ended
                .map_or(InstanceState::Running { since: self.started }, InstanceState::Exited),
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

fn broken(operation: &'static str) -> EngineError {
    EngineError::Refused {
        operation,
        subject: "the fake".to_owned(),
        status: 500,
        message: "as the test asked".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::example as spec;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[tokio::test]
    async fn it_starts_once_listens_later_and_ends_when_told() {
        let (fake, spec) = (Fake::new(ms(0)), spec());
        let listens_after = Some(Duration::from_millis(50));
        fake.behave(&spec.app, Behaviour { listens_after, ..Behaviour::default() });
        let id = fake.start(&spec).await.unwrap();
        assert_eq!(fake.start(&spec).await.unwrap(), id, "starting is an ensure");
        assert!(!fake.is_listening(&id));
        fake.at(ms(50));
        assert!(fake.is_listening(&id));
        assert!(fake.forget(&spec.app).await.is_err(), "it still runs");
        fake.signal(&id, Signal::Terminate).await.unwrap();
        let instances = fake.instances().await.unwrap();
        let InstanceState::Exited(exit) = &instances[0].state else { panic!("{instances:?}") };
        assert_eq!((exit.code, exit.at), (143, ms(50)));
        fake.remove(&id).await.unwrap();
        fake.forget(&spec.app).await.unwrap();
        assert!(fake.containers().is_empty() && fake.networks().is_empty());
    }

    #[tokio::test]
    async fn a_call_can_act_and_still_fail() {
        let (fake, spec) = (Fake::new(ms(0)), spec());
        fake.fail(1, Fault::ActsAndFails);
        assert!(fake.start(&spec).await.is_err());
        assert_eq!(fake.containers().len(), 1);
        fake.fail(1, Fault::Refuses);
        fake.fail(2, Fault::ActsAndFails);
        assert!(fake.instances().await.is_err());
        fake.heal();
        assert_eq!(fake.instances().await.unwrap().len(), 1);
        assert_eq!(fake.calls(), 3);
    }

    #[tokio::test]
    async fn the_earliest_end_is_the_end() {
        let (fake, spec) = (Fake::new(ms(0)), spec());
        let behaviour = Behaviour {
            exits: Some((Duration::from_millis(20), 1)),
            out_of_memory_after: Some(Duration::from_millis(10)),
            on_terminate: OnTerminate::EndAfter(Duration::from_millis(5)),
            ..Behaviour::default()
        };
        fake.behave(&spec.app, behaviour);
        let id = fake.start(&spec).await.unwrap();
        fake.at(ms(9));
        fake.signal(&id, Signal::Terminate).await.unwrap();
        fake.at(ms(30));
        let end = fake.containers()[&id].end.clone().unwrap();
        assert_eq!((end.at, end.out_of_memory), (ms(10), true));
    }

    #[tokio::test]
    async fn meddling_and_hanging_can_be_told() {
        let (fake, spec) = (Fake::new(ms(0)), spec());
        let ignores = Behaviour { on_terminate: OnTerminate::Ignore, ..Behaviour::default() };
        fake.behave(&spec.app, ignores);
        let id = fake.start(&spec).await.unwrap();
        fake.signal(&id, Signal::Terminate).await.unwrap();
        assert_eq!(fake.containers()[&id].end, None, "it ignores SIGTERM");
        fake.kill(&id);
        assert!(fake.instances().await.unwrap()[0].is_gone());
        fake.vanish(&id);
        assert!(fake.containers().is_empty());
        fake.fail(1, Fault::Hangs);
        let waited = tokio::time::timeout(Duration::from_millis(1), fake.instances()).await;
        assert!(waited.is_err(), "it never answers");
    }
}
