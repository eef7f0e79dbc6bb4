//! The counters of one upstream and of one service, shared by all workers.
//!
//! `ledger` has all of them by name. They are written on every request and read rarely. The invariant: what is counted as in flight
//! is counted before the first byte is sent and until the last one, by a guard that cannot be
//! forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use tokio::sync::watch;

use crate::answers::Answers;
use crate::figures::Figures;
use crate::health::Health;
use crate::limits::Limits;
use crate::rules::queue::Queue;
use crate::rules::rate::Buckets;

/// The figures of one upstream.
#[derive(Debug)]
pub(crate) struct UpstreamMeter {
    pub(crate) in_flight: AtomicUsize,
    pub(crate) tunnels: AtomicUsize,
    pub(crate) requests: AtomicU64,
    pub(crate) faults: AtomicU64,
    /// No longer in some worker's table: the control plane waits for it to become idle.
    pub(crate) retired: AtomicBool,
    pub(crate) health: Health,
    /// When it joined others that served already.
    pub(crate) joined: Option<Instant>,
    by_worker: Box<[Answers]>,
    tick: watch::Sender<()>,
}

/// What an upstream found when the edge first saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newcomer {
    /// Nobody who served before it: there is no share that it could grow into.
    First,
    /// Others, who are warm already.
    Later,
}

/// Whether a failure had consequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    None,
    LeftOut,
}

impl UpstreamMeter {
    /// Nothing yet, for this many workers.
    pub(crate) fn new(newcomer: Newcomer, workers: usize, tick: watch::Sender<()>) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            tunnels: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            health: Health::default(),
            joined: (newcomer == Newcomer::Later).then(Instant::now),
            by_worker: (0..workers.max(1)).map(|_| Answers::default()).collect(),
            tick,
        }
    }

    /// Counts a request as in flight until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.count(Errand::Ordinary)
    }

    /// The same for the one request that an upstream on probation gets, if it is free.
    pub(crate) fn try_out(self: &Arc<Self>, now: Instant) -> Option<InFlight> {
        self.health.try_out(now).then(|| self.count(Errand::Trial))
    }

    fn count(self: &Arc<Self>, errand: Errand) -> InFlight {
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight { meter: Arc::clone(self), errand }
    }

    /// What it answered, as far as this worker, and no other, may write it.
    pub(crate) fn answers(&self, worker: usize) -> Option<&Answers> {
        self.by_worker.get(worker)
    }

    pub(crate) fn by_worker(&self) -> impl Iterator<Item = &Answers> {
        self.by_worker.iter()
    }

    /// Counts a failure that says something about the upstream.
    pub(crate) fn failed(&self, limits: &Limits) -> Consequence {
        self.faults.fetch_add(1, Relaxed);
        match self.health.failed(limits, Instant::now()) {
            Some(pause) => {
                tracing::warn!(?pause, "an upstream failed in a row and is left out");
                Consequence::LeftOut
            }
            None => Consequence::None,
        }
    }
}

/// What a request is besides a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    Ordinary,
    Trial,
}

/// One request in flight at an upstream.
#[derive(Debug)]
pub(crate) struct InFlight {
    meter: Arc<UpstreamMeter>,
    errand: Errand,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.errand == Errand::Trial {
            self.meter.health.end_trial();
        }
        let left = self.meter.in_flight.fetch_sub(1, Relaxed) - 1;
        if left == 0 && self.meter.retired.load(Relaxed) {
            self.meter.tick.send_replace(());
        }
    }
}

/// One open tunnel at an upstream. It is in flight as well.
#[derive(Debug)]
pub(crate) struct OpenTunnel(Arc<UpstreamMeter>);

impl OpenTunnel {
    pub(crate) fn new(meter: &Arc<UpstreamMeter>) -> Self {
        meter.tunnels.fetch_add(1, Relaxed);
        Self(Arc::clone(meter))
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.tunnels.fetch_sub(1, Relaxed);
    }
}

/// The figures of one service: those that reflect the moment are shared, those that only grow are
/// kept by worker.
#[derive(Debug)]
pub(crate) struct ServiceMeter {
    pub(crate) in_flight: AtomicUsize,
    pub(crate) held: AtomicUsize,
    /// Requests that drew lots between the canary and the others.
    lots: AtomicU64,
    by_worker: Box<[Figures]>,
    /// How often each client asked.
    pub(crate) buckets: Buckets,
    /// The seats of those it serves at once, if they are numbered.
    pub(crate) queue: Arc<Queue>,
}

impl ServiceMeter {
    /// Nothing yet, for this many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            lots: AtomicU64::new(0),
            by_worker: (0..workers.max(1)).map(|_| Figures::default()).collect(),
            buckets: Buckets::default(),
            queue: Arc::default(),
        }
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Underway {
        self.in_flight.fetch_add(1, Relaxed);
        Underway(Arc::clone(self))
    }

    /// The figures that this worker, and no other, may write.
    pub(crate) fn of(&self, worker: usize) -> Option<&Figures> {
        self.by_worker.get(worker)
    }

    pub(crate) fn by_worker(&self) -> impl Iterator<Item = &Figures> {
        self.by_worker.iter()
    }

    /// Draws one of a thousand lots, `winners` of which win: of any thousand draws in a row,
    /// whoever makes them, exactly so many do, and they are spread evenly.
    pub(crate) fn draw(&self, winners: u16) -> bool {
        let (lot, winners) = (self.lots.fetch_add(1, Relaxed) % 1000, u64::from(winners));
        (lot + 1) * winners / 1000 != lot * winners / 1000
    }

    /// Takes one of `most` places to wait in.
    pub(crate) fn hold(self: &Arc<Self>, most: usize) -> Option<Held> {
        let more = |held| (held < most).then_some(held + 1);
        self.held.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Held(Arc::clone(self)))
    }
}

/// One request of a service, from its head to its last byte.
#[derive(Debug)]
pub(crate) struct Underway(Arc<ServiceMeter>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// One request that waits for an upstream to appear.
#[derive(Debug)]
pub(crate) struct Held(Arc<ServiceMeter>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_lots_exactly_so_many_win() {
        let meter = ServiceMeter::new(1);
        for winners in [0, 1, 50, 333, 500, 999, 1000] {
            let won = (0..1000).filter(|_| meter.draw(winners)).count();
            assert_eq!(won, usize::from(winners));
            // It does not matter where one begins to count.
            meter.draw(winners);
        }
    }

    #[test]
    fn winning_lots_are_spread_evenly() {
        let meter = ServiceMeter::new(1);
        for _ in 0..50 {
            assert_eq!((0..20).filter(|_| meter.draw(50)).count(), 1);
        }
    }
}
