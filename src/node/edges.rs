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
    /// The serial number of what the own DNS server answers from, if there is one.
    answers: watch::Receiver<Option<u32>>,
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
    answers: Option<u32>,
}

/// Another edge, as long as it is heard from.
#[derive(Debug)]
pub struct Connected {
    edges: Edges,
    node: NodeName,
    connection: u64,
}

impl Connected {
    /// What it says of itself: what it does, where it is found, by the world and over the link, which others
    /// it does not find, and what it answers about names.
    pub(super) fn says(&self, told: FromNode) {
        let FromNode { figures, addresses, link, apart, answers } = told;
        self.change(|other| {
            let moved = other.addresses != addresses || other.link != link;
            let begun = other.answers.is_some() != answers.is_some();
            let led = other.traffic.applied != figures.applied || other.apart != apart;
            let news = moved || begun || led;
            (other.traffic, other.addresses) = (figures, addresses);
            (other.link, other.apart, other.answers) = (link, apart, answers);
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
    /// This one alone, which the world finds at these addresses, or if they are none, at the machine's own. Its DNS
    /// server, if there is one, says by which public names it answers.
    pub fn of(edge: &Arc<Edge>, given: &[IpAddr], answers: watch::Receiver<Option<u32>>) -> Self {
        let ((told, _), (there, _)) = (watch::channel(()), watch::channel(()));
        let own = Arc::downgrade(edge);
        Self { own, given: given.into(), answers, others: Arc::default(), told, there }
    }

    /// Where the world finds this daemon.
    pub fn own_at(&self) -> Vec<IpAddr> {
        addresses::public_or(&self.given)
    }

    /// Where the world finds those that serve now, by the name of the machine; `own` is this one's.
    pub fn serving_at(&self, own: &NodeName) -> BTreeMap<NodeName, Vec<IpAddr>> {
        let others = self.others();
        let serves = |other: &&Other| other.connected && other.traffic.applied.is_some();
        let serving = others.iter().filter(|(_, other)| serves(other));
        let serving = serving.map(|(name, other)| (name.clone(), other.addresses.clone()));
        serving.chain([(own.clone(), self.own_at())]).collect()
    }

    /// Where the world finds all of them, also those that are cut off.
    pub fn all_at(&self) -> Vec<IpAddr> {
        self.at(self.own_at(), |_| true)
    }

    /// Where the world finds the DNS servers of all machines, also of those that are cut off: who asks there in vain
    /// asks another.
    pub fn answering_at(&self) -> Vec<IpAddr> {
        let own = if self.answers.borrow().is_some() { self.own_at() } else { Vec::new() };
        self.at(own, |other| other.answers.is_some())
    }

    fn at(&self, own: Vec<IpAddr>, counts: impl Fn(&Other) -> bool) -> Vec<IpAddr> {
        let mut all = own;
        for other in self.others().values().filter(|other| counts(other)) {
            all.extend(&other.addresses);
        }
        let mut seen = BTreeSet::new();
        all.retain(|address| seen.insert(*address));
        all
    }

    /// Whether the DNS servers of all others that are there answer by the public names of this serial number.
    pub fn answer(&self, serial: u32) -> bool {
        let others = self.others();
        let there = others.values().filter(|other| other.connected);
        there.filter_map(|other| other.answers).all(|answers| answers == serial)
    }

    /// Ticks when [`Self::serving_at`] or [`Self::answering_at`] may have changed.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn says(node: &Connected, address: &str, answers: Option<u32>) {
        let addresses = vec![at(address)];
        node.says(FromNode { addresses, answers, ..FromNode::default() });
    }

    #[test]
    fn who_answers_for_names_is_named_and_is_waited_for_while_it_is_there() {
        let ((told, _), (there, _)) = (watch::channel(()), watch::channel(()));
        let (own, answers) = watch::channel(None);
        let (given, others) = ([at("192.0.2.1")].into(), Arc::default());
        let edges = Edges { own: Weak::new(), given, answers, others, told, there };
        let [one, two] = ["edge-1", "edge-2"].map(|name| edges.connect(&name.parse().unwrap()));
        says(&one, "192.0.2.2", Some(7));
        says(&two, "192.0.2.3", None);
        assert_eq!(edges.answering_at(), [at("192.0.2.2")]);
        own.send_replace(Some(0));
        assert_eq!(edges.answering_at(), [at("192.0.2.1"), at("192.0.2.2")]);
        assert!(edges.answer(7) && !edges.answer(8));

        let there = edges.there();
        says(&one, "192.0.2.2", Some(8));
        assert!(edges.answer(8) && !there.has_changed().unwrap());
        says(&two, "192.0.2.3", Some(7));
        assert!(!edges.answer(8) && there.has_changed().unwrap());
        drop(two);
        assert!(edges.answer(8), "nobody knows how long it is cut off");
        assert_eq!(edges.answering_at().len(), 3, "who asks it in vain asks another");
    }
}
