//! All counters behind [`crate::Traffic`], by name.
//!
//! What they count is `meter`'s business. The invariant: there is one meter per name for as long as
//! anybody uses it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::meter::{Newcomer, ServiceMeter, UpstreamMeter};
use crate::table::{ServiceName, UpstreamId};
use crate::tls::TlsMeter;

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
        let fresh = || Arc::new(UpstreamMeter::new(newcomer, self.workers, self.tick.clone()));
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
}
