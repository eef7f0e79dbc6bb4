//! What a worker does on its own account, from time to time: keys, signs of life, old connections.
//!
//! Nothing here serves a request. The invariant: each of these waits before it goes on, whatever
//! the limits say.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::watchdog;
use crate::worker::Worker;

impl Worker {
    /// Replaces the ticket keys of all workers when their time has come. One worker does it.
    pub(crate) async fn rotate_tickets(self: Rc<Self>) {
        if self.index != 0 {
            return;
        }
        loop {
            let until = self.shared.tickets.borrow().until();
            tokio::time::sleep_until(until.into()).await;
            let next = self.shared.tickets.borrow().rotated();
            match next {
                Ok(keys) => drop(self.shared.tickets.send_replace(keys)),
                Err(error) => tracing::warn!(%error, "the ticket keys stay as they are"),
            }
            tokio::time::sleep(SHORTEST_PERIOD).await;
        }
    }

    /// Shows the watchdog that this worker runs.
    pub(crate) async fn beat(self: Rc<Self>) {
        loop {
            self.desk(|desk| desk.beat.fetch_add(1, Relaxed));
            tokio::time::sleep(watchdog::pause(self.shared.limits.stuck)).await;
        }
    }

    /// Closes idle upstream connections that are old or were closed by the upstream.
    pub(crate) async fn sweep(self: Rc<Self>) {
        let limits = &self.shared.limits;
        loop {
            tokio::time::sleep(limits.pool_idle.max(SHORTEST_SWEEP)).await;
            for peer in self.view().peers() {
                peer.sweep(limits);
            }
        }
    }
}

/// A limit of zero must not keep a thread busy.
const SHORTEST_SWEEP: Duration = Duration::from_millis(100);
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
