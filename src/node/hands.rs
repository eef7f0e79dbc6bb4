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
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    feed::{self, FeedError, Lines},
    gateway::Here,
    handout::Handout,
    link::Body,
    orders::{Answer, Order, Sight, Wish, Wrong},
    steward::{Act, Steward},
};
use crate::{
    clock,
    engine::{
        BuildEngine, Engine, EngineError, ExecSpec, InstanceSpec, MachineMemory, docker::Docker,
        image_name,
    },
    model::{AppName, ContainerId, ImageId, OpenSecrets, VolumeName},
    telemetry::chain,
};

/// The engine, once it is known whose containers it is about.
#[derive(Debug)]
pub(super) struct Hands {
    pub(super) docker: Docker,
    pub(super) engine: String,
    handout: Handout,
    pub(super) steward: Steward<Docker>,
    looks: AtomicU64,
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
    /// Nobody watches yet.
    pub(super) fn new(
        (docker, engine): (Docker, String),
        (handout, steward): (Handout, Steward<Docker>),
        here: watch::Sender<Here>,
    ) -> Self {
        let (looks, watchers) = (AtomicU64::new(1), watch::Sender::new(0));
        Self { docker, engine, handout, steward, looks, here, watchers }
    }

    /// Looks whenever something may have changed, unless somebody watches: who does has it looked for them.
    pub(super) async fn look_around(&self) {
        let mut changes = self.docker.changes();
        let mut watchers = self.watchers.subscribe();
        loop {
            if watchers.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            self.look().await;
            tokio::select! {
                _ = watchers.changed() => {}
                tick = changes.next() => if tick.is_none() {
                    sleep(AGAIN).await;
                    changes = self.docker.changes();
                },
                () = sleep(PERIOD) => {}
            }
        }
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
        let seen = async {
            let instances = self.docker.instances().await?;
            let images = self.docker.images().await?;
            Ok::<_, EngineError>((instances, images))
        };
        match seen.await {
            Ok((instances, images)) => {
                let at = |one: &crate::model::Instance| {
                    Some((UpstreamId::new(one.id.0.as_str()), one.address?))
                };
                let here: Here = Arc::new(instances.iter().filter_map(at).collect());
                self.here.send_if_modified(|before| {
                    let news = **before != *here;
                    *before = here;
                    news
                });
                self.handout.tidy_after(&instances, clock::now(), clock::system());
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
            Order::Signal(id, signal) => self.docker.signal(&id, signal).await?,
            Order::Remove(id) => self.docker.remove(&id).await?,
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
        let place = spec.place();
        let refused = |message| EngineError::Refused {
            operation: "start",
            subject: place,
            status: 0,
            message,
        };
        match self.handout.give(&spec, secrets) {
            Ok(handed) => spec.handed = handed,
            Err(error) => return Err(refused(chain(&error))),
        }
        let folders = self.steward.folders();
        // What is in a volume is not exchanged while somebody is started who has it.
        let _turn = folders.turn().read().await;
        match folders.ready(&spec.app, &spec.process) {
            Ok(disks) => spec.disks = disks,
            Err(error) => return Err(refused(chain(&error))),
        }
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

/// Without any sign of change it looks again after so long: events can be lost.
const PERIOD: Duration = Duration::from_secs(5);
/// Until Docker is asked again for what changes.
const AGAIN: Duration = Duration::from_secs(1);
/// Digits of an image's id in its name.
const NAMED_BY: usize = 16;
