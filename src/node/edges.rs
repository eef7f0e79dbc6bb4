//! All edges together, as control sees them: this daemon's own, and those of the machines that have
//! joined.
//!
//! Whoever is connected counts in every question: an instance is out of the routes when nobody routes
//! to it any more, wherever visitors came in. Whoever is cut off is not waited for, since nobody
//! knows how long; what it counted until then stays counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use proxy::{Edge, Traffic};
use tokio::sync::watch;

use crate::model::NodeName;

/// The edges. Cheap to clone; it does not keep this daemon's own edge alive, because whoever ends
/// that one must be its only owner then.
#[derive(Debug, Clone)]
pub struct Edges {
    own: Weak<Edge>,
    others: Arc<Mutex<BTreeMap<NodeName, Other>>>,
    told: watch::Sender<()>,
}

/// The edge of another machine.
#[derive(Debug, Default)]
struct Other {
    connected: bool,
    /// How often it has connected: a connection that ends late says nothing of those after it.
    connection: u64,
    traffic: Traffic,
}

/// Another edge, as long as it is heard from.
#[derive(Debug)]
pub struct Connected {
    edges: Edges,
    node: NodeName,
    connection: u64,
}

impl Connected {
    /// What it says of itself.
    pub fn says(&self, traffic: Traffic) {
        self.change(|other| other.traffic = traffic);
    }

    fn change(&self, change: impl FnOnce(&mut Other)) {
        let mut others = self.edges.others();
        if let Some(other) = others.get_mut(&self.node)
            && other.connection == self.connection
        {
            change(other);
        }
        drop(others);
        self.edges.told.send_replace(());
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.change(|other| other.connected = false);
    }
}

impl Edges {
    /// This one alone.
    pub fn of(edge: &Arc<Edge>) -> Self {
        let (told, _) = watch::channel(());
        Self { own: Arc::downgrade(edge), others: Arc::default(), told }
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
        self.told.send_replace(());
        Connected { edges: self.clone(), node: node.clone(), connection }
    }

    /// The edges of these are all there can be.
    pub fn keep(&self, nodes: &BTreeSet<NodeName>) {
        self.others().retain(|name, other| other.connected || nodes.contains(name));
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
