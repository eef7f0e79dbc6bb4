//! The counters behind [`crate::Traffic`], shared by all workers.
//!
//! They are written on every request and read rarely. The invariant: what is counted as in flight
//! is counted before the first byte is sent and until the last one, by a guard that cannot be
//! forgotten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::limits::Limits;
use crate::rules::queue::Queue;
use crate::rules::rate::Buckets;
use crate::table::{ServiceName, UpstreamId};

/// The figures of one upstream.
#[derive(Debug)]
pub(crate) struct UpstreamMeter {
    pub(crate) in_flight: AtomicUsize,
    pub(crate) tunnels: AtomicUsize,
    pub(crate) requests: AtomicU64,
    pub(crate) faults: AtomicU64,
    /// No longer in some worker's table: the control plane waits for it to become idle.
    pub(crate) retired: AtomicBool,
    failures_in_row: AtomicU32,
    ejections: AtomicU32,
    /// Milliseconds after `epoch` until which it is left out; 0 is not at all.
    out_until: AtomicU64,
    epoch: Instant,
    tick: watch::Sender<()>,
}

impl UpstreamMeter {
    fn new(epoch: Instant, tick: watch::Sender<()>) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            tunnels: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            failures_in_row: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            out_until: AtomicU64::new(0),
            epoch,
            tick,
        }
    }

    /// Counts a request as in flight until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Whether it is left out for now because it could not be connected to.
    pub(crate) fn is_out(&self) -> bool {
        let until = self.out_until.load(Relaxed);
        until != 0 && u128::from(until) > self.epoch.elapsed().as_millis()
    }

    pub(crate) fn connected(&self) {
        if self.failures_in_row.load(Relaxed) != 0 {
            self.failures_in_row.store(0, Relaxed);
            self.ejections.store(0, Relaxed);
            self.out_until.store(0, Relaxed);
        }
    }

    /// Counts a connect failure; after enough of them in a row it is left out for a while, longer
    /// each time.
    pub(crate) fn failed_to_connect(&self, limits: &Limits) {
        self.faults.fetch_add(1, Relaxed);
        let failures = self.failures_in_row.fetch_add(1, Relaxed) + 1;
        if !failures.is_multiple_of(limits.eject_after.max(1)) {
            return;
        }
        let times = self.ejections.fetch_add(1, Relaxed).min(16);
        let pause = limits.eject.saturating_mul(1 << times).min(limits.eject_longest);
        let until = (self.epoch.elapsed() + pause).as_millis();
        self.out_until.store(u64::try_from(until).unwrap_or(u64::MAX), Relaxed);
    }
}

/// One request in flight at an upstream.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<UpstreamMeter>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let left = self.0.in_flight.fetch_sub(1, Relaxed) - 1;
        if left == 0 && self.0.retired.load(Relaxed) {
            self.0.tick.send_replace(());
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

/// The figures of one service.
#[derive(Debug, Default)]
pub(crate) struct ServiceMeter {
    pub(crate) in_flight: AtomicUsize,
    pub(crate) held: AtomicUsize,
    pub(crate) retries: AtomicU64,
    /// Requests by status class; the first is for those that got no answer.
    pub(crate) classes: [AtomicU64; 6],
    /// How often each client asked.
    pub(crate) buckets: Buckets,
    /// The seats of those it serves at once, if they are numbered.
    pub(crate) queue: Arc<Queue>,
}

impl ServiceMeter {
    pub(crate) fn begin(self: &Arc<Self>) -> Underway {
        self.in_flight.fetch_add(1, Relaxed);
        Underway(Arc::clone(self))
    }

    pub(crate) fn finished(&self, status: Option<u16>) {
        let class = usize::from(status.unwrap_or(0) / 100);
        if let Some(counter) = self.classes.get(class) {
            counter.fetch_add(1, Relaxed);
        }
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
    epoch: Instant,
    tick: watch::Sender<()>,
    pub(crate) unrouted: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) accept_faults: AtomicU64,
    pub(crate) records_dropped: AtomicU64,
}

impl Ledger {
    pub(crate) fn new(tick: watch::Sender<()>) -> Self {
        Self {
            upstreams: Mutex::default(),
            services: Mutex::default(),
            epoch: Instant::now(),
            tick,
            unrouted: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            accept_faults: AtomicU64::new(0),
            records_dropped: AtomicU64::new(0),
        }
    }

    /// The meter of this upstream, the same one for as long as anybody uses it.
    pub(crate) fn upstream(&self, id: &UpstreamId) -> Arc<UpstreamMeter> {
        let mut upstreams = lock(&self.upstreams);
        let fresh = || Arc::new(UpstreamMeter::new(self.epoch, self.tick.clone()));
        Arc::clone(upstreams.entry(id.clone()).or_insert_with(fresh))
    }

    pub(crate) fn service(&self, name: &ServiceName) -> Arc<ServiceMeter> {
        Arc::clone(lock(&self.services).entry(name.clone()).or_default())
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_upstream_that_cannot_be_reached_is_left_out_for_longer_each_time() {
        let ledger = Ledger::new(watch::Sender::new(()));
        let meter = ledger.upstream(&UpstreamId::new("a"));
        let limits = Limits { eject: Duration::from_secs(10), ..Limits::default() };
        for expected in [false, false, true] {
            meter.failed_to_connect(&limits);
            assert_eq!(meter.is_out(), expected);
        }
        meter.connected();
        assert!(!meter.is_out());
    }

    #[test]
    fn an_idle_meter_is_forgotten_and_a_busy_one_is_not() {
        let ledger = Ledger::new(watch::Sender::new(()));
        let guard = ledger.upstream(&UpstreamId::new("busy")).begin();
        drop(ledger.upstream(&UpstreamId::new("idle")));
        let names: Vec<_> = ledger.upstreams().into_iter().map(|(id, _)| id).collect();
        assert_eq!(names, [UpstreamId::new("busy")]);
        drop(guard);
        assert!(ledger.upstreams().is_empty());
    }
}
