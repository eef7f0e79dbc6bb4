//! All edges together, as control sees them: this daemon's own, and those of the machines that have
//! joined.
//!
//! Whoever is connected counts in every question: an instance is out of the routes when nobody routes
//! to it any more, wherever visitors came in. Whoever is cut off is not waited for, since nobody
//! knows how long; what it counted until then stays counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use proxy::{Edge, Traffic};
use tokio::sync::watch;

use super::{addresses, feed::FromNode};
use crate::model::NodeName;

/// The edges. Cheap to clone; it does not keep this daemon's own edge alive, because whoever ends
/// that one must be its only owner then.
#[derive(Debug, Clone)]
pub struct Edges {
    own: Weak<Edge>,
    /// Where the world finds the own one, if the settings say so.
    given: Arc<[IpAddr]>,
    others: Arc<Mutex<BTreeMap<NodeName, Other>>>,
    told: watch::Sender<()>,
    /// Moves less often: with who is there, where, and by which table.
    there: watch::Sender<()>,
}

/// The edge of another machine.
#[derive(Debug, Default)]
struct Other {
    connected: bool,
    /// How often it has connected: a connection that ends late says nothing of those after it.
    connection: u64,
    traffic: Traffic,
    addresses: Vec<IpAddr>,
    link: Option<SocketAddr>,
    apart: BTreeSet<NodeName>,
}

/// Another edge, as long as it is heard from.
#[derive(Debug)]
pub struct Connected {
    edges: Edges,
    node: NodeName,
    connection: u64,
}

impl Connected {
    /// What it says of itself: what it does, where it is found, by the world and over the link, and which others
    /// it does not find.
    pub(super) fn says(&self, told: FromNode) {
        let FromNode { figures, addresses, link, apart } = told;
        self.change(|other| {
            let moved = other.addresses != addresses || other.link != link;
            let news = moved || other.traffic.applied != figures.applied || other.apart != apart;
            (other.traffic, other.addresses) = (figures, addresses);
            (other.link, other.apart) = (link, apart);
            news
        });
    }

    /// Changes what is known of it, if this is still its connection; whether it was more than figures,
    /// `change` says.
    fn change(&self, change: impl FnOnce(&mut Other) -> bool) {
        let mut others = self.edges.others();
        let own = others.get_mut(&self.node);
        let own = own.filter(|other| other.connection == self.connection);
        let news = own.is_some_and(change);
        drop(others);
        self.edges.tick(news);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.change(|other| std::mem::take(&mut other.connected));
    }
}

impl Edges {
    /// This one alone, which the world finds at these addresses, or if they are none, at the machine's own.
    pub fn of(edge: &Arc<Edge>, given: &[IpAddr]) -> Self {
        let ((told, _), (there, _)) = (watch::channel(()), watch::channel(()));
        let own = Arc::downgrade(edge);
        Self { own, given: given.into(), others: Arc::default(), told, there }
    }

    /// Where the world finds this daemon.
    pub fn own_at(&self) -> Vec<IpAddr> {
        addresses::public_or(&self.given)
    }

    /// Where the world finds those that serve now.
    pub fn serving_at(&self) -> Vec<IpAddr> {
        self.at(|other| other.connected && other.traffic.applied.is_some())
    }

    /// Where the world finds all of them, also those that are cut off.
    pub fn all_at(&self) -> Vec<IpAddr> {
        self.at(|_| true)
    }

    fn at(&self, counts: impl Fn(&Other) -> bool) -> Vec<IpAddr> {
        let mut all = self.own_at();
        for other in self.others().values().filter(|other| counts(other)) {
            all.extend(&other.addresses);
        }
        let mut seen = BTreeSet::new();
        all.retain(|address| seen.insert(*address));
        all
    }

    /// Ticks when [`Self::serving_at`] may have changed.
    pub fn there(&self) -> watch::Receiver<()> {
        self.there.subscribe()
    }

    /// What they do, and have done; nothing once this daemon's own edge has gone.
    pub fn traffic(&self) -> Traffic {
        let Some(mut all) = self.own.upgrade().map(|edge| edge.traffic()) else {
            return Traffic::default();
        };
        for other in self.others().values() {
            if other.connected {
                all.add(&other.traffic);
            } else {
                all.add_former(&other.traffic);
            }
        }
        all
    }

    /// What changes with each of them.
    pub fn changes(&self) -> Changes {
        let own = self.own.upgrade().map(|edge| edge.changes());
        Changes { own, others: self.told.subscribe() }
    }

    /// Another edge is there, and routes by nothing yet that was published here. It is until what this
    /// returns is dropped, or until it connects anew.
    pub fn connect(&self, node: &NodeName) -> Connected {
        let mut others = self.others();
        let other = others.entry(node.clone()).or_default();
        other.connection += 1;
        other.connected = true;
        (other.traffic.applied, other.traffic.presented) = (None, None);
        let connection = other.connection;
        drop(others);
        self.tick(true);
        Connected { edges: self.clone(), node: node.clone(), connection }
    }

    /// Which table each of the others routes by, as it is numbered here.
    pub fn serving(&self) -> BTreeMap<NodeName, Option<u64>> {
        let others = self.others();
        let there = others.iter().filter(|(_, other)| other.connected);
        there.map(|(name, other)| (name.clone(), other.traffic.applied)).collect()
    }

    /// Where the links of the others are reached, of those that say so.
    pub fn links(&self) -> BTreeMap<NodeName, SocketAddr> {
        let others = self.others();
        let there = others.iter().filter(|(_, other)| other.connected);
        there.filter_map(|(name, other)| Some((name.clone(), other.link?))).collect()
    }

    /// Which others each of the others has no link to.
    pub fn apart(&self) -> BTreeMap<NodeName, BTreeSet<NodeName>> {
        let others = self.others();
        let there = others.iter().filter(|(_, other)| other.connected);
        there.map(|(name, other)| (name.clone(), other.apart.clone())).collect()
    }

    /// The edges of these are all there can be.
    pub fn keep(&self, nodes: &BTreeSet<NodeName>) {
        self.others().retain(|name, other| other.connected || nodes.contains(name));
    }

    fn tick(&self, there: bool) {
        self.told.send_replace(());
        if there {
            self.there.send_replace(());
        }
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<NodeName, Other>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This daemon's own edge has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the edge has ended")]
pub struct Gone;

/// Ticks whenever an edge has something new to say.
#[derive(Debug)]
pub struct Changes {
    own: Option<watch::Receiver<()>>,
    others: watch::Receiver<()>,
}

impl Changes {
    /// Ends with the next change; at once, and for ever, when this daemon's own edge has gone.
    pub async fn changed(&mut self) -> Result<(), Gone> {
        let own = self.own.as_mut().ok_or(Gone)?;
        tokio::select! {
            changed = own.changed() => changed.map_err(|_| Gone),
            Ok(()) = self.others.changed() => Ok(()),
        }
    }
}
