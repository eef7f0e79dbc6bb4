//! What one worker has seen of the answers of one upstream: figures that only grow.
//!
//! They are the upstream's own, whatever became of the request afterwards: one that was sent again
//! to another counts at both. The invariant: one writer, so that counting costs a few plain stores.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::histogram::{Times, grow};
use crate::traffic::UpstreamTraffic;

/// One worker's share of an upstream's figures. Only that worker may count. Aligned as
/// [`crate::figures::Figures`] are.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Answers {
    all: AtomicU64,
    errors: AtomicU64,
    first_byte: Times,
}

impl Answers {
    /// Counts the head of an answer, so long after the request was given to the upstream. A tunnel
    /// counts here, once, when it opens.
    pub(crate) fn answered(&self, status: u16, after: Duration) {
        grow(&self.all, 1);
        grow(&self.errors, u64::from(is_error(status)));
        self.first_byte.count(after);
    }

    /// Counts a request that the upstream failed; `status` is that of the answer it broke off, if it
    /// had begun one.
    pub(crate) fn failed(&self, status: Option<u16>) {
        grow(&self.all, u64::from(status.is_none()));
        grow(&self.errors, u64::from(!status.is_some_and(is_error)));
    }

    pub(crate) fn add_to(&self, traffic: &mut UpstreamTraffic) {
        traffic.answers += self.all.load(Relaxed);
        traffic.errors += self.errors.load(Relaxed);
        traffic.first_byte.add(&self.first_byte.read());
    }
}

fn is_error(status: u16) -> bool {
    status >= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_is_never_two_errors() {
        let answers = Answers::default();
        let check = |expected: (u64, u64, u64)| {
            let mut traffic = UpstreamTraffic::default();
            answers.add_to(&mut traffic);
            assert_eq!((traffic.answers, traffic.errors, traffic.first_byte.count()), expected);
        };
        answers.answered(200, Duration::ZERO);
        check((1, 0, 1));
        answers.failed(Some(200));
        check((1, 1, 1));
        answers.answered(502, Duration::ZERO);
        answers.failed(Some(502));
        check((2, 2, 2));
        answers.failed(None);
        check((3, 3, 2));
    }
}
