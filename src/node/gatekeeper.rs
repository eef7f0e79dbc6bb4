//! Who may ask a node for what, over the link. This is the one place where it is decided.
//!
//! The control has the engine do what it says. Another node brings visitors: to an instance of this machine that the
//! table names, at the port that it names, or to one that a private name leads to, for an app that may go there.
//! Nothing else that is asked for by a node is so much as read.

use std::{net::SocketAddr, sync::Arc};

use hyper::{Request, Response, StatusCode};
use tokio::{net::TcpStream, sync::watch};

use super::{
    carrier,
    hub::Known,
    link::{Body, Handler, Peer, Refused, reached, refusal},
    ways::{Road, Ways},
    worker::Worker,
};
use crate::model::NodeName;

/// Whoever keeps the gate of a node.
#[derive(Debug)]
pub struct Gatekeeper {
    /// Who controls.
    pub control: NodeName,
    /// What obeys the control.
    pub worker: Arc<Worker>,
    /// The instances that tables name.
    pub known: Known,
    /// The instances that private names lead to, and who may go there.
    pub ways: watch::Receiver<Arc<Ways>>,
}

/// What somebody who has been let in is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Control,
    Node,
}

impl Gatekeeper {
    fn standing(&self, peer: &Peer) -> Standing {
        if peer.name == self.control { Standing::Control } else { Standing::Node }
    }

    /// Where a visitor whom another node brings may go.
    fn open_to_visitors(&self, target: &str) -> Option<SocketAddr> {
        let Some((asker, to)) = carrier::read_target(target) else {
            return self.known.here(target);
        };
        match self.ways.borrow().road_for(&asker, &to)? {
            Road::Straight(at) => Some(at),
            // It would be led on to a third machine.
            Road::Door(_) | Road::Link => None,
        }
    }
}

impl Handler for Gatekeeper {
    async fn call(&self, peer: &Peer, request: Request<Body>) -> Response<Body> {
        match self.standing(peer) {
            Standing::Control => self.worker.call(peer, request).await,
            Standing::Node => {
                refusal(StatusCode::FORBIDDEN, "nobody but the control asks a node for that")
            }
        }
    }

    async fn tunnel(&self, peer: &Peer, target: &str) -> Result<TcpStream, Refused> {
        match self.standing(peer) {
            Standing::Control => self.worker.tunnel(peer, target).await,
            Standing::Node => {
                let at = self.open_to_visitors(target);
                let at =
                    at.ok_or_else(|| Refused::nobody("nothing here is open to visitors so"))?;
                reached(TcpStream::connect(at)).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
