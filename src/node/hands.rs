//! The engine of a node at work: it is looked at, does what is ordered, and takes images.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use proxy::UpstreamId;
use tokio::{
    sync::{RwLock, mpsc, watch},
    time::sleep,
};

use super::{
    feed::{self, FeedError, Lines},
    gateway::Here,
    handout::Handout,
    link::Body,
    memory::Notes,
    orders::{Answer, Order, Sight, Wish, Wrong},
    past::{Past, place_of},
    revival::Revival,
    steward::{Act, Steward},
};
use crate::{
    clock,
    engine::{
        BuildEngine, Engine, EngineError, ExecSpec, InstanceSpec, MachineMemory, docker::Docker,
        image_name,
    },
    model::{AppName, ContainerId, ImageId, Instance, OpenSecrets, Timestamp, VolumeName},
    telemetry::chain,
};

/// The engine, once it is known whose containers it is about.
#[derive(Debug)]
pub(super) struct Hands {
    pub(super) docker: Docker,
    pub(super) engine: String,
    handout: Handout,
    pub(super) steward: Steward<Docker>,
    past: Past,
    notes: Notes,
    looks: AtomicU64,
    /// Nobody looks while an instance is started again: it would be taken for one that has ended.
    turn: RwLock<()>,
    here: watch::Sender<Here>,
    /// How many calls there are in which it says what it sees.
    watchers: watch::Sender<usize>,
}

/// Somebody to whom it is said what is seen.
pub(super) struct Watcher(watch::Sender<usize>);

impl Watcher {
    pub(super) fn of(hands: &Hands) -> Self {
        hands.watchers.send_modify(|count| *count += 1);
        Self(hands.watchers.clone())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Hands {
    /// Nobody watches yet. What an earlier daemon noted belongs to the past, too.
    pub(super) fn new(
        (docker, engine): (Docker, String),
        (handout, steward): (Handout, Steward<Docker>),
        here: watch::Sender<Here>,
        (past, notes): (Past, Notes),
    ) -> Self {
        let (looks, watchers) = (AtomicU64::new(1), watch::Sender::new(0));
        for id in &notes.told_to_end() {
            past.ends(id);
        }
        let turn = RwLock::default();
        Self { docker, engine, handout, steward, past, notes, looks, turn, here, watchers }
    }

    /// Looks whenever something may have changed, unless somebody watches: who does has it looked for them. While
    /// nobody does, who ends is started again.
    pub(super) async fn look_around(&self) {
        let mut changes = self.docker.changes();
        let mut watchers = self.watchers.subscribe();
        loop {
            if watchers.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            let mut revival = Revival::since(clock::now());
            while *watchers.borrow_and_update() == 0 {
                let sight = self.look().await;
                let next = self.revive(&mut revival, &sight.instances).await;
                let pause = next.map_or(PERIOD, |at| at.since(clock::now()).min(PERIOD));
                tokio::select! {
                    _ = watchers.changed() => {}
                    tick = changes.next() => if tick.is_none() {
                        sleep(AGAIN).await;
                        changes = self.docker.changes();
                    },
                    () = sleep(pause) => {}
                }
            }
        }
    }

    /// Starts those again for whom it is time, and says when it is for the next.
    async fn revive(&self, revival: &mut Revival, instances: &[Instance]) -> Option<Timestamp> {
        let due = revival.due(instances, |id| self.past.was_told_to_end(id), clock::now());
        for one in due.now {
            let (app, slot, container) = (&one.app, &one.slot, &one.id);
            let tried = clock::now();
            match self.start_again(one).await {
                Ok(Again::Started) => {
                    tracing::warn!(%app, %slot, %container, "it has ended while nobody leads: it is started again");
                    revival.tried(one, true, tried);
                }
                Ok(Again::Unknown) => {
                    tracing::error!(
                        %app, %slot, %container,
                        "it has ended while nobody leads, and stays so: the secrets that an earlier daemon handed \
                         it are known to nobody here"
                    );
                    revival.leave(container);
                }
                Ok(Again::Watched) => return None,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%app, %slot, %container, %error, "it has ended, and is not started again");
                    revival.tried(one, false, tried);
                }
            }
        }
        due.next
    }

    /// Starts one again, unless somebody has come who decides about it.
    async fn start_again(&self, instance: &Instance) -> Result<Again, EngineError> {
        let _turn = self.turn.write().await;
        if *self.watchers.borrow() > 0 {
            return Ok(Again::Watched);
        }
        let place = place_of(instance);
        match self.past.give_again(&place) {
            Some(given) => given.map_err(|error| unhanded(place, &error))?,
            None if self.docker.is_handed(&instance.id).await? => return Ok(Again::Unknown),
            None => {}
        }
        self.docker.start_again(&instance.id).await?;
        Ok(Again::Started)
    }

    /// Says what is to be seen whenever it may have changed, and keeps to what is wished.
    pub(super) async fn say(
        &self,
        mut wishes: Lines<Body>,
        mut wish: Wish,
        told: mpsc::Sender<Bytes>,
    ) -> Result<(), FeedError> {
        let mut changes = self.docker.changes();
        let mut last = Sight::default();
        loop {
            let sight = self.look().await;
            if sight != (Sight { number: sight.number, ..last.clone() }) || last.number == 0 {
                if told.send(feed::line(&sight)?).await.is_err() {
                    return Ok(());
                }
                last = sight;
            }
            if let Some(images) = &wish.images {
                self.sweep(images, &last.images).await;
            }
            tokio::select! {
                next = wishes.next::<Wish>() => match next? {
                    Some(next) => wish = next,
                    None => return Ok(()),
                },
                tick = changes.next() => if tick.is_none() {
                    // Docker is away, and so is whoever tells of changes.
                    sleep(AGAIN).await;
                    changes = self.docker.changes();
                },
                () = told.closed() => return Ok(()),
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// What is to be seen now.
    pub(super) async fn look(&self) -> Sight {
        let number = self.looks.fetch_add(1, Relaxed);
        let (engine, architecture) = (self.engine.clone(), std::env::consts::ARCH.to_owned());
        let memory = MachineMemory::now().map(|memory| memory.all);
        let base = Sight { number, engine, architecture, memory, ..Sight::default() };
        let _turn = self.turn.read().await;
        let seen = async {
            let instances = self.docker.instances().await?;
            let images = self.docker.images().await?;
            Ok::<_, EngineError>((instances, images))
        };
        match seen.await {
            Ok((instances, images)) => {
                let at = |one: &Instance| Some((UpstreamId::new(one.id.0.as_str()), one.address?));
                let here: Here = Arc::new(instances.iter().filter_map(at).collect());
                self.here.send_if_modified(|before| {
                    let news = **before != *here;
                    *before = here;
                    news
                });
                self.handout.tidy_after(&instances, clock::now(), clock::system());
                self.notes.keep_told_to_end(|id| instances.iter().any(|one| one.id == *id));
                Sight { instances, images: images.into_iter().map(|one| one.id).collect(), ..base }
            }
            Err(error) => Sight { fault: Some(chain(&error)), ..base },
        }
    }

    /// Removes images that are not needed; Docker keeps those that are in use.
    async fn sweep(&self, needed: &BTreeSet<ImageId>, there: &BTreeSet<ImageId>) {
        for image in there.difference(needed) {
            if let Err(error) = self.docker.remove_image(image).await {
                tracing::debug!(%image, error = %chain(&error), "an image stays");
            }
        }
    }

    pub(super) async fn obey(&self, order: Order) -> Result<Answer, EngineError> {
        match order {
            Order::Start { spec, secrets } => {
                let id = self.start(*spec, &secrets.into_secrets()).await?;
                return Ok(Answer::Started(id, self.look().await));
            }
            Order::Signal(id, signal) => {
                self.ends(&id);
                self.docker.signal(&id, signal).await?;
            }
            Order::Remove(id) => {
                self.ends(&id);
                self.docker.remove(&id).await?;
            }
            Order::Forget(app) => self.docker.forget(&app).await?,
            Order::Check { id, command, secrets, patience } => {
                let spec = ExecSpec { command, terminal: None, secrets: secrets.into_secrets() };
                return Ok(Answer::Checked(self.docker.check(&id, &spec, patience).await?));
            }
            Order::Resize(program, size) => {
                self.docker.program(program).resize(size).await?;
                return Ok(Answer::Heeded);
            }
            Order::Tell(program, signal) => {
                self.docker.program(program).signal(signal).await?;
                return Ok(Answer::Heeded);
            }
            Order::Usage(id) => return Ok(Answer::Usage(self.docker.usage(&id).await?)),
            Order::Volume(app, name, act) => return self.act(app, name, act).await,
        }
        Ok(Answer::Done(self.look().await))
    }

    async fn start(
        &self,
        mut spec: InstanceSpec,
        secrets: &OpenSecrets,
    ) -> Result<ContainerId, EngineError> {
        let handed = self.handout.give(&spec, secrets);
        spec.handed = handed.map_err(|error| unhanded(spec.place(), &error))?;
        let folders = self.steward.folders();
        // What is in a volume is not exchanged while somebody is started who has it.
        let _turn = folders.turn().read().await;
        for volume in spec.process.volumes.keys() {
            let there = self.steward.open((&spec.app, volume)).map(drop);
            there.map_err(|error| {
                let message = format!("its volume {volume}: {}", chain(&error));
                let subject = spec.place();
                EngineError::Refused { operation: "start", subject, status: 0, message }
            })?;
        }
        let ready = folders.ready(&spec.app, &spec.process);
        spec.disks = ready.map_err(|error| unhanded(spec.place(), &error))?;
        self.docker.start(&spec).await
    }

    /// Does something to a volume, to its end, also if nobody waits for it any more: somebody may stand still for it.
    async fn act(&self, app: AppName, name: VolumeName, act: Act) -> Result<Answer, EngineError> {
        let steward = self.steward.clone();
        let acting = tokio::spawn(async move { steward.act((&app, &name), act).await });
        Ok(match acting.await {
            Ok(Ok(acted)) => Answer::Acted(acted),
            Ok(Err(error)) => Answer::Wrong(Wrong::of_volume(&error)),
            Err(error) => Answer::Wrong(Wrong::Refused { status: 0, message: chain(&error) }),
        })
    }

    /// Whoever leads wants it to end.
    fn ends(&self, id: &ContainerId) {
        self.past.ends(id);
        self.notes.tell_to_end(id);
    }

    /// Loads an image, and names it as ours: one that others made has nothing else by which it is known.
    pub(super) async fn load(
        &self,
        id: &ImageId,
        tar: futures_util::stream::BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<(), EngineError> {
        self.docker.load(tar).await?;
        let which = id.as_str().trim_start_matches("sha256:");
        let which = which.get(..NAMED_BY).unwrap_or(which);
        let name = image_name("node", self.docker.installation().as_str(), which);
        self.docker.tag(id, &name).await
    }
}

/// What came of starting one again.
enum Again {
    /// It runs.
    Started,
    /// It needs what nobody here knows.
    Unknown,
    /// Somebody has come who decides.
    Watched,
}

/// It cannot be started without what it is to have.
fn unhanded(subject: String, error: &dyn std::error::Error) -> EngineError {
    EngineError::Refused { operation: "start", subject, status: 0, message: chain(error) }
}

/// Without any sign of change it looks again after so long: events can be lost.
const PERIOD: Duration = Duration::from_secs(5);
/// Until Docker is asked again for what changes.
const AGAIN: Duration = Duration::from_secs(1);
/// Digits of an image's id in its name.
const NAMED_BY: usize = 16;
