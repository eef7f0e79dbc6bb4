//! What the edge is doing right now, as plain data for the control plane.
//!
//! A snapshot, not a metric system: figures only grow or reflect the moment, and the reader decides
//! what they mean.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::health::Standing;
use crate::histogram::Histogram;
use crate::meter::{ServiceMeter, UpstreamMeter};
use crate::table::{ServiceName, UpstreamId};
use crate::tls::TlsTraffic;

/// A snapshot of all figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// The lowest table generation that every worker routes by. `None` before the first.
    pub applied: Option<u64>,
    /// The lowest generation of [`crate::Certificates`] that every worker presents and answers by.
    pub presented: Option<u64>,
    /// Figures of every upstream that is in a table or has something in flight.
    pub upstreams: BTreeMap<UpstreamId, UpstreamTraffic>,
    /// Figures of every service that is in a table or has something in flight.
    pub services: BTreeMap<ServiceName, ServiceTraffic>,
    /// Client connections open.
    pub connections: usize,
    /// Requests for hosts that no service answers for.
    pub unrouted: u64,
    /// Requests refused before routing: malformed, too large or too slow.
    pub malformed: u64,
    /// Connections that could not be accepted, for lack of file descriptors for example.
    pub accept_faults: u64,
    /// Access records dropped because their reader was too slow.
    pub records_dropped: u64,
    /// Connections closed at once because their client had too many.
    pub crowded: u64,
    /// Connections closed because the PROXY protocol was missing, malformed or not to be believed.
    pub prefaces_refused: u64,
    /// How often a worker was found stuck.
    pub stalls: u64,
    /// Figures of the TLS listeners.
    pub tls: TlsTraffic,
}

impl Traffic {
    /// Whether this upstream may be stopped: every worker routes by a table of at least this
    /// generation, which must not have it, and nothing is in flight to it.
    pub fn is_drained(&self, generation: u64, id: &UpstreamId) -> bool {
        let idle = self.upstreams.get(id).is_none_or(|upstream| upstream.in_flight == 0);
        self.applied.is_some_and(|applied| applied >= generation) && idle
    }

    /// Counts what another edge does with the same table and certificates as if it were this one: the
    /// generations are those that both route by and present.
    pub fn add(&mut self, other: &Self) {
        self.applied = self.applied.min(other.applied);
        self.presented = self.presented.min(other.presented);
        self.count(other);
    }

    /// Counts what an edge did that is not there any more: nothing of it is under way, and it routes
    /// by no table.
    pub fn add_former(&mut self, other: &Self) {
        let mut former = other.clone();
        former.connections = 0;
        for upstream in former.upstreams.values_mut() {
            (upstream.in_flight, upstream.tunnels, upstream.ejected) = (0, 0, false);
        }
        for service in former.services.values_mut() {
            (service.in_flight, service.held) = (0, 0);
        }
        self.count(&former);
    }

    fn count(&mut self, other: &Self) {
        for (id, more) in &other.upstreams {
            self.upstreams.entry(id.clone()).or_default().add(more);
        }
        for (name, more) in &other.services {
            self.services.entry(name.clone()).or_default().add(more);
        }
        self.connections += other.connections;
        self.unrouted += other.unrouted;
        self.malformed += other.malformed;
        self.accept_faults += other.accept_faults;
        self.records_dropped += other.records_dropped;
        self.crowded += other.crowded;
        self.prefaces_refused += other.prefaces_refused;
        self.stalls += other.stalls;
        self.tls.add(&other.tls);
    }
}

impl UpstreamTraffic {
    fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.tunnels += other.tunnels;
        self.requests += other.requests;
        self.faults += other.faults;
        self.answers += other.answers;
        self.errors += other.errors;
        self.first_byte.add(&other.first_byte);
        self.ejected |= other.ejected;
    }
}

impl ServiceTraffic {
    fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.held += other.held;
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class += more;
        }
        self.retries += other.retries;
        self.ejections += other.ejections;
        self.upgrades += other.upgrades;
        self.received += other.received;
        self.sent += other.sent;
        self.first_byte.add(&other.first_byte);
        self.total.add(&other.total);
    }
}

/// Figures of one upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamTraffic {
    /// Requests chosen for it and not finished; open tunnels are among them.
    pub in_flight: usize,
    /// Open tunnels (upgraded connections).
    pub tunnels: usize,
    /// Requests it was ever chosen for.
    pub requests: u64,
    /// Connect failures, broken connections and timeouts.
    pub faults: u64,
    /// Requests that it answered or failed; an open tunnel has been answered.
    pub answers: u64,
    /// Those of them that it failed, or answered with a 5xx.
    pub errors: u64,
    /// From the moment it was chosen to the head of its answer.
    pub first_byte: Histogram,
    /// Left out for now, after failures in a row.
    pub ejected: bool,
}

/// Figures of one service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceTraffic {
    /// Requests between their head and the last byte of their answer; held ones are among them.
    pub in_flight: usize,
    /// Requests that wait for an upstream to appear.
    pub held: usize,
    /// Finished requests by status class (`classes[2]` is 2xx); `classes[0]` got no answer.
    pub classes: [u64; 6],
    /// Requests sent again, to another upstream or on a new connection.
    pub retries: u64,
    /// Times that one of its upstreams was left out after failures in a row.
    pub ejections: u64,
    /// Connections that switched to another protocol, WebSocket for example.
    pub upgrades: u64,
    /// Body bytes received from clients, without framing.
    pub received: u64,
    /// Body bytes sent by upstreams and passed on, without framing.
    pub sent: u64,
    /// From the head of a request to the head of its answer.
    pub first_byte: Histogram,
    /// From the head of a request to the last byte of its answer; upgraded connections are not
    /// among them.
    pub total: Histogram,
}

impl From<&UpstreamMeter> for UpstreamTraffic {
    fn from(meter: &UpstreamMeter) -> Self {
        let mut traffic = Self {
            in_flight: meter.in_flight.load(Relaxed),
            tunnels: meter.tunnels.load(Relaxed),
            requests: meter.requests.load(Relaxed),
            faults: meter.faults.load(Relaxed),
            ejected: meter.health.standing(Instant::now()) != Standing::Fit,
            ..Self::default()
        };
        for answers in meter.by_worker() {
            answers.add_to(&mut traffic);
        }
        traffic
    }
}

impl From<&ServiceMeter> for ServiceTraffic {
    fn from(meter: &ServiceMeter) -> Self {
        let mut traffic = Self {
            in_flight: meter.in_flight.load(Relaxed),
            held: meter.held.load(Relaxed),
            ..Self::default()
        };
        for figures in meter.by_worker() {
            figures.add_to(&mut traffic);
        }
        traffic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(applied: Option<u64>, in_flight: usize, answers: u64) -> Traffic {
        let id = UpstreamId::new("a");
        let upstream = UpstreamTraffic { in_flight, answers, ..UpstreamTraffic::default() };
        Traffic { applied, upstreams: [(id, upstream)].into(), ..Traffic::default() }
    }

    #[test]
    fn two_edges_count_as_one() {
        let id = UpstreamId::new("a");
        let mut both = edge(Some(7), 0, 10);
        both.add(&edge(Some(6), 1, 5));
        assert_eq!((both.applied, both.upstreams[&id].answers), (Some(6), 15));
        assert!(!both.is_drained(6, &id) && !both.is_drained(7, &id));
        both.add(&edge(None, 0, 0));
        assert_eq!(both.applied, None, "one that routes by nothing yet has applied nothing");
    }

    #[test]
    fn what_a_former_edge_did_stays_counted() {
        let id = UpstreamId::new("a");
        let mut left = edge(Some(7), 0, 10);
        left.add_former(&edge(Some(2), 3, 5));
        assert_eq!(left.upstreams[&id].answers, 15);
        assert!(left.is_drained(7, &id), "nothing of it is in the way");
    }
}
