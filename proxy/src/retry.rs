//! How many requests may be sent twice at once.
//!
//! Not when a request may be (`forward` decides that). The invariant: retries are never more than a
//! fifth of what is in flight, plus a few, so that an outage is not made worse by the edge.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The budget of one edge, shared by its workers.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    in_flight: AtomicUsize,
    retrying: AtomicUsize,
}

/// Retries that are always allowed: with little traffic a fifth of it is nothing.
const FLOOR: usize = 10;

impl Budget {
    /// Counts a request, of whatever service, until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Counted {
        self.in_flight.fetch_add(1, Relaxed);
        Counted { budget: Arc::clone(self), retries: 0 }
    }
}

/// A request within the budget. Its retries count until it is finished.
#[derive(Debug)]
pub(crate) struct Counted {
    budget: Arc<Budget>,
    retries: usize,
}

impl Counted {
    /// Takes a retry from the budget, if there is one left.
    pub(crate) fn may_retry(&mut self) -> bool {
        let most = FLOOR.max(self.budget.in_flight.load(Relaxed) / 5);
        let more = |retrying| (retrying < most).then_some(retrying + 1);
        let taken = self.budget.retrying.fetch_update(Relaxed, Relaxed, more).is_ok();
        self.retries += usize::from(taken);
        taken
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.budget.in_flight.fetch_sub(1, Relaxed);
        self.budget.retrying.fetch_sub(self.retries, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_of_the_traffic_or_a_few() {
        let budget = Arc::new(Budget::default());
        let mut one = budget.begin();
        assert_eq!((0..20).filter(|_| one.may_retry()).count(), 10);
        drop(one);
        let mut many: Vec<_> = (0..100).map(|_| budget.begin()).collect();
        assert_eq!(many.iter_mut().filter_map(|one| one.may_retry().then_some(())).count(), 20);
        drop(many);
        assert_eq!(budget.retrying.load(Relaxed), 0);
    }
}
