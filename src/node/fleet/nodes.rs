//! What is known of the engines of nodes: what each was last seen to have, and how to ask it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    attend,
    call::Far,
    doors::Doors,
    stock::{Share, Stock},
};
use crate::{
    engine::{EngineError, Seat, Supply, docker::Docker},
    model::{ContainerId, ImageId, Instance, NodeName},
    node::{homes::Stocked, link::Link, orders::Sight},
};

/// The nodes that are attended to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Nodes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    known: Mutex<BTreeMap<NodeName, Known>>,
    /// Whether it is known which nodes there are.
    called: watch::Sender<bool>,
    /// Ticks when any of it changes.
    news: watch::Sender<()>,
    own: watch::Sender<Option<Own>>,
    supply: watch::Sender<Option<Supply>>,
    /// Those who keep the records, too.
    keepers: watch::Receiver<Arc<BTreeSet<NodeName>>>,
    doors: Doors,
    settled: Mutex<bool>,
    attended: AtomicU64,
}

/// This machine's engine.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) docker: Docker,
    pub(super) engine: String,
}

/// What is known of one.
#[derive(Debug)]
struct Known {
    /// Which of those that ever had its name.
    number: u64,
    link: Link,
    /// What it was last seen to have.
    sight: Option<Sight>,
    /// Since when nobody tells; `None` while somebody does.
    silent: Option<Instant>,
    /// Why it does not tell.
    refused: Option<String>,
    /// Which images it is being sent, and which it did not get.
    stock: Stock,
}

impl Known {
    /// Learns what it has. One whose engine does not answer has what it had, for a moment.
    fn take(&mut self, sight: Sight) {
        let before = self.sight.take().unwrap_or_default();
        self.sight = Some(if before.number >= sight.number && before.number > 0 {
            before
        } else if sight.fault.is_some() {
            self.silent.get_or_insert_with(Instant::now);
            Sight { instances: before.instances, images: before.images, ..sight }
        } else {
            self.silent = None;
            sight
        });
    }

    /// Whether instances can be started there.
    fn serves(&self, own: Option<&Own>) -> bool {
        self.silent.is_none() && matches!(self.work(own), Some(Ok(_)))
    }

    /// Whether it has these images. A daemon that has just begun hears of it in a moment.
    fn stocked(&self, own: Option<&Own>, images: &BTreeSet<ImageId>) -> Stocked {
        let has_all = |sight: &Sight| images.is_subset(&sight.images);
        match (self.silent, self.work(own)) {
            (Some(since), _) if since.elapsed() < GRACE => Stocked::NotYet,
            (_, Some(Err(why))) => Stocked::Never(why),
            (Some(_), _) => Stocked::Never("it is not reached".to_owned()),
            (None, Some(Ok(_))) if self.sight.as_ref().is_some_and(has_all) => Stocked::Yes,
            (None, _) => Stocked::NotYet,
        }
    }

    /// How many instances it has, or why it can have none.
    fn work(&self, own: Option<&Own>) -> Option<Result<usize, String>> {
        let (sight, own) = (self.sight.as_ref()?, own?);
        let (theirs, ours) = (sight.architecture.as_str(), std::env::consts::ARCH);
        Some(if let Some(fault) = &sight.fault {
            Err(fault.clone())
        } else if own.engine == sight.engine {
            Err("it has the same Docker as the control".to_owned())
        } else if theirs != ours {
            Err(format!("images are made for {ours}, and it has {theirs}"))
        } else {
            Ok(sight.instances.len())
        })
    }
}

impl Nodes {
    /// None yet; whoever is on a way to one is cut when `stop` says so. Those among `keepers` may lead next, and have
    /// the images for that.
    pub fn new(stop: CancellationToken, keepers: watch::Receiver<Arc<BTreeSet<NodeName>>>) -> Self {
        Self(Arc::new(Shared {
            known: Mutex::default(),
            called: watch::Sender::new(false),
            news: watch::Sender::new(()),
            own: watch::Sender::new(None),
            supply: watch::Sender::new(None),
            keepers,
            doors: Doors::new(stop),
            settled: Mutex::default(),
            attended: AtomicU64::new(0),
        }))
    }

    /// Attends to a node's engine until it is told to stop.
    pub fn attend(&self, name: NodeName, link: Link, until: CancellationToken) {
        let number = self.0.attended.fetch_add(1, Relaxed);
        let known = Known {
            number,
            link: link.clone(),
            sight: None,
            silent: Some(Instant::now()),
            refused: None,
            stock: Stock::default(),
        };
        self.known().insert(name.clone(), known);
        tokio::spawn(attend::attend(self.clone(), (name, number), link, until));
    }

    /// All nodes that there are have been named.
    pub fn called(&self) {
        self.0.called.send_if_modified(|called| !std::mem::replace(called, true));
    }

    /// Forgets a node, with all that it has, unless another has its name by now.
    pub(super) fn dismiss(&self, name: &NodeName, number: u64) {
        let mut known = self.known();
        if known.get(name).is_some_and(|known| known.number == number) {
            known.remove(name);
        }
        drop(known);
        self.tick();
    }

    pub(super) fn begin(&self, docker: Docker, engine: String) {
        self.0.own.send_replace(Some(Own { docker, engine }));
    }

    pub(super) fn own(&self) -> watch::Receiver<Option<Own>> {
        self.0.own.subscribe()
    }

    /// What a node is to have; `None` until that is known.
    pub(super) fn share(&self, name: &NodeName) -> Option<Share> {
        let keeps = self.0.keepers.borrow().contains(name);
        self.0.supply.borrow().as_ref().map(|supply| Share::of(supply, keeps))
    }

    /// What tells that the share of a node may be another.
    pub(super) fn supplies(&self) -> Supplies {
        Supplies { supply: self.0.supply.subscribe(), keepers: self.0.keepers.clone() }
    }

    pub(super) fn provide(&self, supply: Supply) {
        self.0.supply.send_if_modified(|before| {
            let supply = Some(supply);
            let news = *before != supply;
            *before = supply;
            news
        });
    }

    /// Ends when every node was seen, or was waited for long enough: a daemon that has just started
    /// knows of none what it has, and is not to start all of it again.
    pub(super) async fn settled(&self) {
        if *self.0.settled.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        let all_seen = async {
            let (mut called, mut news) = (self.0.called.subscribe(), self.news());
            let _ = called.wait_for(|called| *called).await;
            while self.known().values().any(|known| known.sight.is_none()) {
                if news.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = timeout(SETTLES, all_seen).await;
        *self.0.settled.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// A node tells what it has. What it saw earlier than what is known says nothing.
    pub(super) fn sees(&self, name: &NodeName, sight: Sight) {
        if let Some(known) = self.known().get_mut(name) {
            known.take(sight);
        }
        self.tick();
    }

    /// Somebody begins to tell what a node has, and counts from the beginning. What did not get there before that
    /// broke off with the link, as likely as not, and is sent again at once.
    pub(super) fn heard(&self, name: &NodeName) {
        if let Some(known) = self.known().get_mut(name) {
            known.refused = None;
            known.stock.forgive();
            if let Some(sight) = &mut known.sight {
                sight.number = 0;
            }
        }
    }

    /// Nobody tells any more; `refused` says why, if the node itself does.
    pub(super) fn lost(&self, name: &NodeName, refused: Option<String>) {
        if let Some(known) = self.known().get_mut(name) {
            known.silent.get_or_insert_with(Instant::now);
            known.refused = refused;
        }
        self.tick();
    }

    /// Changes what is known of the images that it is sent.
    pub(super) fn stock<T>(
        &self,
        name: &NodeName,
        change: impl FnOnce(&mut Stock, Option<&Sight>) -> T,
    ) -> Option<T> {
        self.known().get_mut(name).map(|known| change(&mut known.stock, known.sight.as_ref()))
    }

    /// The instances of all that are there, or were a moment ago.
    pub(super) fn instances(&self) -> Vec<Instance> {
        let known = self.known();
        let there = known.iter().filter_map(|(name, known)| {
            let counts = known.silent.is_none_or(|since| since.elapsed() < GRACE);
            Some((name, known.sight.as_ref().filter(|_| counts)?))
        });
        let mut all = Vec::new();
        for (name, sight) in there {
            for instance in &sight.instances {
                let node = Some(name.clone());
                all.push(Instance { node, pid: None, ..instance.clone() });
            }
        }
        all
    }

    pub(super) fn seats(&self) -> Vec<Seat> {
        let own = self.0.own.borrow().clone();
        let known = self.known();
        let serving = known.iter().filter(|(_, known)| known.serves(own.as_ref()));
        let seat = |(name, known): (&NodeName, &Known)| Seat {
            node: Some(name.clone()),
            images: known.sight.as_ref().map(|sight| sight.images.clone()),
            wanting: known.stock.wanting(),
            memory: known.sight.as_ref().and_then(|sight| sight.memory),
        };
        serving.map(seat).collect()
    }

    /// How many instances a node has, or why it can have none; `None` until that is known.
    pub fn work(&self, name: &NodeName) -> Option<Result<usize, String>> {
        let own = self.0.own.borrow().clone();
        let known = self.known();
        let known = known.get(name)?;
        known.refused.clone().map(Err).or_else(|| known.work(own.as_ref()))
    }

    pub(super) async fn reach(
        &self,
        ports: &BTreeMap<ContainerId, u16>,
    ) -> BTreeMap<ContainerId, SocketAddr> {
        let mut wanted = BTreeMap::new();
        for (id, port) in ports {
            // Nobody waits at a door for a machine that is away.
            let reached = self.of(id).map(|far| far.link.with_patience(Duration::ZERO));
            wanted.extend(reached.map(|link| ((id.clone(), *port), link)));
        }
        self.0.doors.reach(&wanted).await
    }

    /// The node that has a container, whether or not it can be asked.
    pub(super) fn of(&self, id: &ContainerId) -> Option<Far> {
        let has = |known: &Known| {
            let sight = known.sight.as_ref();
            sight.is_some_and(|sight| sight.instances.iter().any(|one| one.id == *id))
        };
        let known = self.known();
        let (node, known) = known.iter().find(|(_, known)| has(known))?;
        Some(Far { node: node.clone(), link: known.link.clone() })
    }

    /// A node by its name.
    pub(super) fn far(&self, node: &NodeName) -> Result<Far, EngineError> {
        let link = self.known().get(node).map(|known| known.link.clone());
        let link = link.ok_or_else(|| EngineError::Unreachable {
            socket: format!("node {node}"),
            source: "it is none any more".into(),
        })?;
        Ok(Far { node: node.clone(), link })
    }

    /// The link to a node.
    pub fn link(&self, node: &NodeName) -> Result<Link, EngineError> {
        Ok(self.far(node)?.link)
    }

    /// See [`Homes::stocked`].
    ///
    /// [`Homes::stocked`]: crate::node::Homes::stocked
    pub(in crate::node) fn stocked(
        &self,
        node: Option<&NodeName>,
        images: &BTreeSet<ImageId>,
    ) -> Stocked {
        let supply = self.0.supply.borrow().clone().unwrap_or_default();
        let is_lost = !supply.lacking.is_disjoint(images);
        let there = match node {
            _ if images.is_empty() => return Stocked::Yes,
            None if is_lost => Stocked::NotYet,
            None => Stocked::Yes,
            Some(node) => self.stocked_at(node, images),
        };
        if is_lost && there == Stocked::NotYet { Stocked::Never(LOST.to_owned()) } else { there }
    }

    fn stocked_at(&self, node: &NodeName, images: &BTreeSet<ImageId>) -> Stocked {
        let (own, all_named) = (self.0.own.borrow().clone(), *self.0.called.borrow());
        match self.known().get(node) {
            Some(known) => known.stocked(own.as_ref(), images),
            None if all_named => Stocked::Never("it is no node any more".to_owned()),
            None => Stocked::NotYet,
        }
    }

    /// All that can be asked and have an engine of their own.
    pub(super) fn all(&self) -> Vec<Far> {
        let own = self.0.own.borrow().clone();
        let known = self.known();
        let serving = known.iter().filter(|(_, known)| known.serves(own.as_ref()));
        let far = |(node, known): (&NodeName, &Known)| Far {
            node: node.clone(),
            link: known.link.clone(),
        };
        serving.map(far).collect()
    }

    /// Ticks when what is known of any changes.
    pub fn news(&self) -> watch::Receiver<()> {
        self.0.news.subscribe()
    }

    pub(super) fn tick(&self) {
        self.0.news.send_replace(());
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeName, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Nodes::supplies`].
pub(super) struct Supplies {
    supply: watch::Receiver<Option<Supply>>,
    keepers: watch::Receiver<Arc<BTreeSet<NodeName>>>,
}

impl Supplies {
    /// Ends when there is news.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.supply.changed() => {}
            Ok(()) = self.keepers.changed() => {}
            else => std::future::pending().await,
        }
    }
}

/// Why nobody is sent an image.
const LOST: &str =
    "the image is not on the machine that leads any more; `paas deploy` builds it anew";
/// How long what a lost node had counts: for a daemon to be replaced by a newer one, but a dead machine's
/// instances are elsewhere within ten seconds.
pub(super) const GRACE: Duration = Duration::from_secs(4);
/// For all nodes to say what they have, after a start. Visitors wait as long, if one of them is away.
const SETTLES: Duration = Duration::from_secs(3);
