//! Handshakes, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// Figures of the TLS listeners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsTraffic {
    /// Handshakes that succeeded.
    pub handshakes: u64,
    /// Those of them that resumed an earlier session.
    pub resumed: u64,
    /// Challenges of certificate authorities that were answered (TLS-ALPN-01).
    pub proofs: u64,
    /// Handshakes that failed.
    pub failed: HandshakeFailures,
}

impl TlsTraffic {
    /// Counts another edge's handshakes too.
    pub(crate) fn add(&mut self, other: &Self) {
        self.handshakes += other.handshakes;
        self.resumed += other.resumed;
        self.proofs += other.proofs;
        self.failed.add(&other.failed);
    }
}

/// Failed handshakes by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandshakeFailures {
    /// There is no certificate for the name, and no other to present.
    pub unknown_name: u64,
    /// No version, cipher or protocol in common.
    pub incompatible: u64,
    /// The client did not accept what it was shown, and said so.
    pub refused: u64,
    /// What came is not TLS, or breaks its rules.
    pub malformed: u64,
    /// The client took too long.
    pub slow: u64,
    /// The connection was closed or broke.
    pub gone: u64,
}

impl HandshakeFailures {
    fn add(&mut self, other: &Self) {
        self.unknown_name += other.unknown_name;
        self.incompatible += other.incompatible;
        self.refused += other.refused;
        self.malformed += other.malformed;
        self.slow += other.slow;
        self.gone += other.gone;
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    UnknownName,
    Incompatible,
    Refused,
    Malformed,
    Slow,
    Gone,
}

/// The counters behind [`TlsTraffic`].
#[derive(Debug, Default)]
pub(crate) struct TlsMeter {
    handshakes: AtomicU64,
    resumed: AtomicU64,
    proofs: AtomicU64,
    failures: [AtomicU64; 6],
}

impl TlsMeter {
    pub(super) fn succeeded(&self, resumed: bool) {
        self.handshakes.fetch_add(1, Relaxed);
        if resumed {
            self.resumed.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn proved(&self) {
        self.proofs.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self, failure: Failure) {
        if let Some(counter) = self.failures.get(failure as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }
}

impl From<&TlsMeter> for TlsTraffic {
    fn from(meter: &TlsMeter) -> Self {
        let [unknown_name, incompatible, refused, malformed, slow, gone] =
            meter.failures.each_ref().map(|counter| counter.load(Relaxed));
        Self {
            handshakes: meter.handshakes.load(Relaxed),
            resumed: meter.resumed.load(Relaxed),
            proofs: meter.proofs.load(Relaxed),
            failed: HandshakeFailures {
                unknown_name,
                incompatible,
                refused,
                malformed,
                slow,
                gone,
            },
        }
    }
}
