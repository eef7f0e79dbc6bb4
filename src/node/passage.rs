//! The passage to what is on another machine: straight to the node that has it, or by way of the machine that
//! controls.
//!
//! Which way it is, is decided when somebody wants to pass and not before. Until the far side has said that a
//! tunnel is through, nothing of what it is to carry has left: whoever did not get through the one way may try
//! the other, and nothing happens twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use hyper::StatusCode;
use proxy::UpstreamId;
use tokio::{sync::watch, time::timeout};

use super::link::{Link, LinkError, Tunnel};
use crate::model::{ContainerId, Directory, NodeName};

/// Links to nodes, by their names.
pub type Links = BTreeMap<NodeName, Link>;

/// The passage. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The way that is always there.
    link: Link,
    straight: Option<Straight>,
    /// How long it is waited for a node that is away, while there is no way round.
    patience: Duration,
}

/// What it takes to go straight.
#[derive(Debug, Clone)]
pub struct Straight {
    /// Which node has an instance.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// The links to all of them.
    pub peers: watch::Receiver<Arc<Links>>,
}

/// Which other machines are reached from a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All, by way of the machine that controls if need be.
    All,
    /// That machine is away: these nodes alone, straight.
    Nodes(BTreeSet<NodeName>),
}

impl Reach {
    /// Whether what this node has is reached; `None` is the machine that controls.
    pub fn includes(&self, node: Option<&NodeName>) -> bool {
        match self {
            Self::All => true,
            Self::Nodes(nodes) => node.is_some_and(|node| nodes.contains(node)),
        }
    }
}

impl Passage {
    /// To what the far side of one link has: there is no other way.
    pub(super) fn by(link: Link) -> Self {
        Self { link, straight: None, patience: PATIENCE }
    }

    /// From a node: straight where that can be, else by its link to the machine that controls.
    pub fn of_node(control: Link, straight: Straight) -> Self {
        Self { link: control, straight: Some(straight), patience: PATIENCE }
    }

    /// The same for those who wait longer, or less long, for machines that are away.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { link: self.link.with_patience(patience), patience, ..self }
    }

    /// Opens a tunnel to something of an instance, which both ways know by the same text.
    pub(super) async fn tunnel(
        &self,
        instance: &ContainerId,
        target: &str,
    ) -> Result<Tunnel, LinkError> {
        let Some(peer) = self.peer(instance) else { return self.link.tunnel(target).await };
        if !peer.is_up() {
            return self.whichever(&peer, target).await;
        }
        let straight = peer.clone().with_patience(Duration::ZERO);
        match timeout(STRAIGHT, straight.tunnel(target)).await {
            Ok(Ok(tunnel)) => return Ok(tunnel),
            Ok(Err(error)) if !goes_round(&error) => return Err(error),
            Ok(Err(error)) => {
                tracing::debug!(node = %peer.peer(), %error, "not reached straight");
                if !matches!(error, LinkError::Refused { .. }) {
                    return self.whichever(&peer, target).await;
                }
            }
            Err(_) => tracing::debug!(node = %peer.peer(), "not reached straight in time"),
        }
        // Whoever has waited for one machine does not wait for another.
        self.link.clone().with_patience(Duration::ZERO).tunnel(target).await
    }

    /// By whichever way is there first. A daemon that begins or ceases to lead closes its end of the link, and is
    /// back within a second; meanwhile there may be nobody who leads, and so no way round.
    async fn whichever(&self, peer: &Link, target: &str) -> Result<Tunnel, LinkError> {
        let peer = peer.clone().with_patience(self.patience);
        let (round, straight) = (pin!(self.link.tunnel(target)), pin!(peer.tunnel(target)));
        match select(round, straight).await {
            Either::Left((Err(error), straight)) if goes_round(&error) => straight.await,
            Either::Right((Err(error), round)) if goes_round(&error) => round.await,
            Either::Left((done, _)) | Either::Right((done, _)) => done,
        }
    }

    /// The instances of other machines that are reached; `None` if all are.
    pub(super) fn reached(&self, reach: &Reach) -> Option<BTreeSet<UpstreamId>> {
        let straight = self.straight.as_ref().filter(|_| *reach != Reach::All)?;
        let directory = straight.directory.borrow().clone();
        let listed = directory.0.values().flat_map(|listing| &listing.instances);
        let reached = listed.filter(|(_, listed)| reach.includes(listed.node.as_ref()));
        Some(reached.map(|(id, _)| UpstreamId::new(id.0.as_str())).collect())
    }

    /// The nodes that are called and have no link now.
    pub(super) fn apart(&self) -> BTreeSet<NodeName> {
        let peers = self.straight.as_ref().map(|straight| straight.peers.borrow().clone());
        let peers = peers.iter().flat_map(|peers| peers.iter());
        peers.filter(|(_, link)| !link.is_up()).map(|(name, _)| name.clone()).collect()
    }

    /// The link to the node that has it.
    fn peer(&self, instance: &ContainerId) -> Option<Link> {
        let Straight { directory, peers } = self.straight.as_ref()?;
        let (directory, peers) = (directory.borrow().clone(), peers.borrow().clone());
        peers.get(directory.node_of(instance)?).cloned()
    }
}

/// Whether somebody who was not let through straight may be let through the other way. Where the node has
/// tried and the instance does not answer, the machine that controls would ask the same node.
fn goes_round(error: &LinkError) -> bool {
    match error {
        LinkError::Down { .. } | LinkError::Broken { .. } => true,
        LinkError::Refused { refused, .. } => refused.status == StatusCode::NOT_FOUND,
        LinkError::Request(_) => false,
    }
}

/// For a node to say that the way is through, before the other is tried: a cut is noticed as late as after three
/// seconds, and nobody is to wait for that. It is long enough for the other end of the world.
const STRAIGHT: Duration = Duration::from_secs(1);
/// Unless it is said otherwise. It is longer than a daemon takes to begin or to cease to lead, and no longer than
/// somebody waits at a [door](super::door).
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
