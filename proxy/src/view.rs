//! A table as one worker uses it: hosts to venues to services to upstreams, with figures and pools
//! attached.
//!
//! It is built when a table arrives, never while a request is served. The invariant: an upstream
//! that stays keeps its idle connections; one that goes loses them at once.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::host::Host;
use crate::ledger::Ledger;
use crate::meter::{Newcomer, ServiceMeter};
use crate::pattern::ByHost;
use crate::pool::Pool;
use crate::table::{Service, ServiceName, Table, Upstream, UpstreamId};
use crate::upstream::Peer;
use crate::venue::Venue;

/// What one worker routes by.
#[derive(Debug, Default)]
pub(crate) struct View {
    venues: ByHost<Rc<Venue>>,
    targets: HashMap<ServiceName, Rc<Target>>,
    peers: HashMap<UpstreamId, Rc<Peer>>,
}

/// A service, ready to be served.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: ServiceName,
    pub(crate) service: Arc<Service>,
    pub(crate) meter: Arc<ServiceMeter>,
    pub(crate) pool: Pool,
}

impl View {
    /// The view of `table`; what persists is taken over from this one, what goes is retired.
    pub(crate) fn next(&self, table: &Table, ledger: &Ledger) -> Self {
        let mut next = Self::default();
        for (name, service) in &table.services {
            let served = self.targets.get(name).is_some_and(|target| !target.pool.is_empty());
            let newcomer = if served { Newcomer::Later } else { Newcomer::First };
            let pool = Pool::new(name, service, |u| next.peer(u, self, ledger, newcomer));
            let meter = ledger.service(name);
            let (name, service) = (name.clone(), Arc::clone(service));
            next.targets.insert(name.clone(), Rc::new(Target { name, service, meter, pool }));
        }
        for (pattern, site) in &table.sites {
            next.venues.insert(pattern.clone(), Rc::new(Venue::new(site, &next.targets)));
        }
        for (id, peer) in &self.peers {
            if next.peers.get(id).is_none_or(|kept| !Rc::ptr_eq(kept, peer)) {
                peer.retire();
                peer.meter.retired.store(!next.peers.contains_key(id), Relaxed);
            }
        }
        next
    }

    fn peer(
        &mut self,
        upstream: &Upstream,
        before: &Self,
        ledger: &Ledger,
        newcomer: Newcomer,
    ) -> Rc<Peer> {
        let known = self.peers.get(&upstream.id).or_else(|| before.peers.get(&upstream.id));
        let peer = match known {
            Some(peer) if peer.is_at(upstream) => Rc::clone(peer),
            Some(_) | None => {
                let meter = ledger.upstream(&upstream.id, newcomer);
                meter.retired.store(false, Relaxed);
                Rc::new(Peer::new(upstream, meter))
            }
        };
        self.peers.insert(upstream.id.clone(), Rc::clone(&peer));
        peer
    }

    /// What the host answers with; the exact host wins over a wildcard.
    pub(crate) fn venue(&self, host: &Host) -> Option<&Rc<Venue>> {
        self.venues.get(host)
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &Rc<Peer>> {
        self.peers.values()
    }
}
