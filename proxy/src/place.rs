//! An accepted connection: the door it came through, and the place it takes up until it ends.
//!
//! It is not served here. The invariant: whatever becomes of a connection, its place is given back
//! exactly once, wherever the connection is dropped.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::OwnedSemaphorePermit;

use crate::arrival::{Arrival, Trust};
use crate::crowd::Seat;
use crate::settings::{Preface, Speaks};
use crate::shared::{Desk, Shared};

/// What a listener's connections have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    pub(crate) port: u16,
    pub(crate) speaks: Speaks,
    pub(crate) preface: Preface,
}

/// A connection that nobody serves yet.
#[derive(Debug)]
pub(crate) struct Tenancy<S> {
    pub(crate) stream: S,
    pub(crate) arrival: Arrival,
    pub(crate) door: Door,
    pub(crate) place: Place,
}

/// What a connection takes up: one of all places, one of its client's seats, and the time of the
/// worker it was assigned to.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    worker: usize,
    seat: Option<Seat>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// A place at this worker.
    pub(crate) fn take(shared: &Arc<Shared>, worker: usize, permit: OwnedSemaphorePermit) -> Self {
        if let Some(desk) = shared.desks.get(worker) {
            desk.open.fetch_add(1, Relaxed);
        }
        Self { shared: Arc::clone(shared), worker, seat: None, _permit: permit }
    }

    /// Takes one of the client's seats; `false` if it has too many already. Proxies of ours have
    /// as many as they want: behind them are many clients.
    pub(crate) fn seat(&mut self, client: IpAddr, trust: Trust) -> bool {
        if trust == Trust::Trusted {
            return true;
        }
        let most = self.shared.limits.connections_per_client;
        self.seat = self.shared.crowd.enter(client, most);
        if self.seat.is_none() {
            self.shared.ledger.crowded.fetch_add(1, Relaxed);
        }
        self.seat.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let open = self.shared.desks.get(self.worker).map(Desk::leave);
        if open == Some(0) && self.shared.retiring.is_cancelled() {
            self.shared.ledger.tick();
        }
    }
}
