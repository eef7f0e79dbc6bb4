//! The counters behind [`crate::Traffic`], shared by all workers.
//!
//! They are written on every request and read rarely. The invariant: what is counted as in flight
//! is counted before the first byte is sent and until the last one, by a guard that cannot be
//! forgotten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::figures::Figures;
use crate::health::Health;
use crate::limits::Limits;
use crate::rules::queue::Queue;
use crate::rules::rate::Buckets;
use crate::table::{ServiceName, UpstreamId};
use crate::tls::TlsMeter;

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
    fn new(newcomer: Newcomer, tick: watch::Sender<()>) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            tunnels: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            health: Health::default(),
            joined: (newcomer == Newcomer::Later).then(Instant::now),
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
    fn new(workers: usize) -> Self {
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

/// All figures, by name.
#[derive(Debug)]
pub(crate) struct Ledger {
    upstreams: Mutex<BTreeMap<UpstreamId, Arc<UpstreamMeter>>>,
    services: Mutex<BTreeMap<ServiceName, Arc<ServiceMeter>>>,
    workers: usize,
    tick: watch::Sender<()>,
    pub(crate) unrouted: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) accept_faults: AtomicU64,
    pub(crate) records_dropped: AtomicU64,
    pub(crate) crowded: AtomicU64,
    pub(crate) prefaces_refused: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) tls: TlsMeter,
}

impl Ledger {
    /// Nothing yet, for this many workers.
    pub(crate) fn new(tick: watch::Sender<()>, workers: usize) -> Self {
        Self {
            upstreams: Mutex::default(),
            services: Mutex::default(),
            workers,
            tick,
            unrouted: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            accept_faults: AtomicU64::new(0),
            records_dropped: AtomicU64::new(0),
            crowded: AtomicU64::new(0),
            prefaces_refused: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            tls: TlsMeter::default(),
        }
    }

    /// The meter of this upstream, the same one for as long as anybody uses it.
    pub(crate) fn upstream(&self, id: &UpstreamId, newcomer: Newcomer) -> Arc<UpstreamMeter> {
        let mut upstreams = lock(&self.upstreams);
        let fresh = || Arc::new(UpstreamMeter::new(newcomer, self.tick.clone()));
        Arc::clone(upstreams.entry(id.clone()).or_insert_with(fresh))
    }

    pub(crate) fn service(&self, name: &ServiceName) -> Arc<ServiceMeter> {
        let fresh = || Arc::new(ServiceMeter::new(self.workers));
        Arc::clone(lock(&self.services).entry(name.clone()).or_insert_with(fresh))
    }

    /// The meters in use. Those that only the ledger knows are forgotten here.
    pub(crate) fn upstreams(&self) -> Vec<(UpstreamId, Arc<UpstreamMeter>)> {
        let mut upstreams = lock(&self.upstreams);
        upstreams.retain(|_, meter| Arc::strong_count(meter) > 1);
        upstreams.iter().map(|(id, meter)| (id.clone(), Arc::clone(meter))).collect()
    }

    pub(crate) fn services(&self) -> Vec<(ServiceName, Arc<ServiceMeter>)> {
        let mut services = lock(&self.services);
        services.retain(|_, meter| Arc::strong_count(meter) > 1);
        services.iter().map(|(name, meter)| (name.clone(), Arc::clone(meter))).collect()
    }

    /// Wakes whoever watches the traffic.
    pub(crate) fn tick(&self) {
        self.tick.send_replace(());
    }
}

/// A map of counters is valid whatever a thread that died was doing to it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_meter_is_forgotten_and_a_busy_one_is_not() {
        let ledger = Ledger::new(watch::Sender::new(()), 1);
        let guard = ledger.upstream(&UpstreamId::new("busy"), Newcomer::First).begin();
        drop(ledger.upstream(&UpstreamId::new("idle"), Newcomer::First));
        let names: Vec<_> = ledger.upstreams().into_iter().map(|(id, _)| id).collect();
        assert_eq!(names, [UpstreamId::new("busy")]);
        drop(guard);
        assert!(ledger.upstreams().is_empty());
    }

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
