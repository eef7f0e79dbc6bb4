//! What one worker has counted of one service: figures that only grow.
//!
//! The invariant: one writer, so that counting a request costs a few plain stores and no cache line
//! travels between cores; readers add the workers up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::histogram::{Times, grow};
use crate::record::Record;
use crate::traffic::ServiceTraffic;

/// One worker's share of a service's figures. Only that worker may count. Aligned, so that two
/// workers never write to the same cache line (two lines are fetched at a time).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Figures {
    /// Requests by status class; the first is for those that got no answer.
    classes: [AtomicU64; 6],
    retries: AtomicU64,
    ejections: AtomicU64,
    upgrades: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    first_byte: Times,
    total: Times,
}

impl Figures {
    /// Counts a request that was answered with `status` after `total`.
    pub(crate) fn finished(&self, status: Option<u16>, total: Duration, record: &Record) {
        let class = usize::from(status.unwrap_or(0) / 100);
        if let Some(counter) = self.classes.get(class) {
            grow(counter, 1);
        }
        grow(&self.received, record.received);
        grow(&self.sent, record.sent);
        if let Some(time) = record.first_byte {
            self.first_byte.count(time);
        }
        if status == Some(101) {
            grow(&self.upgrades, 1);
        } else {
            self.total.count(total);
        }
    }

    pub(crate) fn sent_again(&self) {
        grow(&self.retries, 1);
    }

    pub(crate) fn left_out(&self) {
        grow(&self.ejections, 1);
    }

    pub(crate) fn add_to(&self, traffic: &mut ServiceTraffic) {
        for (sum, counter) in traffic.classes.iter_mut().zip(&self.classes) {
            *sum += counter.load(Relaxed);
        }
        traffic.retries += self.retries.load(Relaxed);
        traffic.ejections += self.ejections.load(Relaxed);
        traffic.upgrades += self.upgrades.load(Relaxed);
        traffic.received += self.received.load(Relaxed);
        traffic.sent += self.sent.load(Relaxed);
        traffic.first_byte.add(&self.first_byte.read());
        traffic.total.add(&self.total.read());
    }
}
