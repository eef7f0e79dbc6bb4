//! What the workers of an edge share, and what each shows to the others.
//!
//! Everything here is counters, limits and channels; what a request needs is in its worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::SystemTime;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::crowd::Crowd;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::listener::Incoming;
use crate::network::Network;
use crate::retry::Budget;
use crate::tls::TicketKeys;

/// What all workers of an edge share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) trusted: Vec<Network>,
    pub(crate) clock: fn() -> SystemTime,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) budget: Arc<Budget>,
    /// One permit per client connection.
    pub(crate) places: Arc<Semaphore>,
    /// Connections by client address.
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) desks: Vec<Desk>,
    /// What session tickets are sealed with now.
    pub(crate) tickets: watch::Sender<TicketKeys>,
    /// Connections are accepted from now on.
    pub(crate) open: CancellationToken,
    /// No more connections; it comes with `stopping`, or before it if there is a successor.
    pub(crate) retiring: CancellationToken,
    /// No more connections and no more requests.
    pub(crate) stopping: CancellationToken,
    /// The deadline has passed.
    pub(crate) cutting: CancellationToken,
}

/// What other threads may see of a worker.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Client connections, counted from the moment they are assigned.
    pub(crate) open: AtomicUsize,
    /// One more than the generation routed by; 0 before the first.
    pub(crate) applied: AtomicU64,
    /// The same for certificates.
    pub(crate) presented: AtomicU64,
    /// Moves as long as the worker runs.
    pub(crate) beat: AtomicU64,
    /// Connections accepted elsewhere. Bounded by `places`.
    pub(crate) inbox: mpsc::UnboundedSender<Incoming>,
}

impl Desk {
    pub(crate) fn new(inbox: mpsc::UnboundedSender<Incoming>) -> Self {
        let [applied, presented, beat] = [const { AtomicU64::new(0) }; 3];
        Self { open: AtomicUsize::new(0), applied, presented, beat, inbox }
    }

    /// One connection less; returns how many are left.
    pub(crate) fn leave(&self) -> usize {
        self.open.fetch_sub(1, Relaxed) - 1
    }

    /// It is not stuck: it is done, while others may still drain.
    pub(crate) fn ended(&self) {
        self.beat.store(ENDED, Relaxed);
    }

    pub(crate) fn applied(&self) -> Option<u64> {
        self.applied.load(SeqCst).checked_sub(1)
    }

    pub(crate) fn presented(&self) -> Option<u64> {
        self.presented.load(SeqCst).checked_sub(1)
    }
}

/// The beat of a worker that has ended in good order.
pub(crate) const ENDED: u64 = u64::MAX;
