//! How long things took, in fixed classes: enough for a percentile, cheap enough for every request.
//!
//! Not exact times. The invariant: one writer (the worker that owns it), any number of readers, so a
//! count costs two plain stores and no locked instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The upper bounds of all classes but the last, which has none. From what a cache answers in to
/// what only a patient client waits for.
pub const BOUNDS: [Duration; 15] = [
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

/// Times by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histogram {
    /// How many took at most the bound of the same index in [`BOUNDS`], and more than the one
    /// before; the last is for all that took longer.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All times together.
    pub sum: Duration,
}

impl Histogram {
    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

/// A histogram that one thread writes.
#[derive(Debug, Default)]
pub(crate) struct Times {
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Times {
    /// Only to be called by the thread it belongs to.
    pub(crate) fn count(&self, time: Duration) {
        let class = BOUNDS.partition_point(|bound| *bound < time);
        if let Some(counter) = self.counts.get(class) {
            grow(counter, 1);
        }
        grow(&self.micros, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn read(&self) -> Histogram {
        Histogram {
            counts: self.counts.each_ref().map(|counter| counter.load(Relaxed)),
            sum: Duration::from_micros(self.micros.load(Relaxed)),
        }
    }
}

/// Adds to a counter that only this thread writes.
pub(crate) fn grow(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(micros: u64, class: usize) {
        let times = Times::default();
        times.count(Duration::from_micros(micros));
        let read = times.read();
        assert_eq!(read.counts.iter().position(|count| *count == 1), Some(class), "{micros}");
        assert_eq!((read.count(), read.sum), (1, Duration::from_micros(micros)));
    }

    #[test]
    fn a_time_is_counted_in_the_class_it_fits() {
        check(0, 0);
        check(1_000, 0);
        check(1_001, 1);
        check(60_000_000, 14);
        check(60_000_001, 15);
        assert!(BOUNDS.is_sorted());
    }
}
