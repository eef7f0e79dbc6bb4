//! Who may ask a node for what, over the link. This is the one place where it is decided.
//!
//! Whoever leads has the engine do what it says, for as long as it leads. Another node brings visitors: to an instance
//! of this machine that the table names, at the port that it names, or to one that a private name leads to, for an
//! app that may go there. So does a machine that led or may lead, and does not. Nothing else that is asked for by any
//! of these is so much as read.

use std::{net::SocketAddr, sync::Arc};

use futures_util::FutureExt;
use hyper::{Method, Request, Response, StatusCode};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};

use super::{
    carrier,
    charge::{self, CHARGE, Charged},
    hub::Known,
    leading::{Leader, Leading, Unled},
    link::{Body, Far, Handler, Peer, Refused, reached, refusal, until},
    ways::{Road, Ways},
    worker::Worker,
};

/// Whoever keeps the gate of a node.
#[derive(Debug)]
pub struct Gatekeeper {
    /// Who leads.
    pub leading: Leading,
    /// What obeys whoever leads.
    pub worker: Arc<Worker>,
    /// The instances that tables name.
    pub known: Known,
    /// The instances that private names lead to, and who may go there.
    pub ways: watch::Receiver<Arc<Ways>>,
    /// Whoever does what is neither the engine's nor the edge's.
    pub charges: mpsc::Sender<Charged>,
}

impl Gatekeeper {
    /// Whether it leads; else it is what any node is here, and this is why.
    fn leads(&self, peer: &Peer) -> Result<Leader, Unled> {
        self.leading.hears(&peer.name, peer.term)
    }

    /// What whoever leads asks for, until another leads.
    async fn led(&self, leader: &Leader, peer: &Peer, request: Request<Body>) -> Response<Body> {
        let ends = |body| until(body, self.leading.deposed(leader).map(Into::into));
        let request = request.map(ends);
        tokio::select! {
            biased;
            why = self.leading.deposed(leader) => refused(&why),
            answer = self.obeyed(peer, request) => answer.map(ends),
        }
    }

    async fn obeyed(&self, peer: &Peer, request: Request<Body>) -> Response<Body> {
        if (request.method(), request.uri().path()) == (&Method::POST, CHARGE) {
            return charge::pass_on(peer.name.clone(), request.into_body(), &self.charges).await;
        }
        self.worker.call(peer, request).await
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
        match self.leads(peer) {
            Ok(leader) => self.led(&leader, peer, request).await,
            Err(why) => refused(&why),
        }
    }

    async fn tunnel(&self, peer: &Peer, target: &str) -> Result<Far, Refused> {
        match self.leads(peer) {
            Ok(_) => self.worker.tunnel(peer, target).await,
            Err(_) => {
                let at = self.open_to_visitors(target);
                let at =
                    at.ok_or_else(|| Refused::nobody("nothing here is open to visitors so"))?;
                reached(TcpStream::connect(at)).await
            }
        }
    }
}

fn refused(why: &Unled) -> Response<Body> {
    refusal(StatusCode::FORBIDDEN, &why.to_string())
}

#[cfg(test)]
mod tests;
