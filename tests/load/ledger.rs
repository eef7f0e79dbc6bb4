//! What the app may answer at each moment, and what it did.
//!
//! Every change gives the app another mark. While a change is under way the old and the new mark
//! are right; once the change has been reported done, only the new one is. A request that was
//! under way meanwhile may have either. Where all instances change at once, the first answer with the
//! new mark ends that: whoever asks after it must not see the old.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// One change of what serves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// What served before.
    from: u32,
    /// When it was asked for.
    began: Instant,
}

/// A change of all instances at once.
#[derive(Debug, Clone, Copy)]
struct Flip {
    to: u32,
    /// When an answer of the new instances was first read to its end.
    seen: Option<Instant>,
}

/// The book that the load and the test keep together.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    right: Mutex<BTreeSet<u32>>,
    flip: Mutex<Option<Flip>>,
    changes: Mutex<Vec<Change>>,
    faults: Mutex<Vec<String>>,
    requests: AtomicU64,
    partings: AtomicU64,
}

impl Ledger {
    /// The marks that are right now.
    pub(crate) fn right(&self) -> BTreeSet<u32> {
        self.right.lock().unwrap().clone()
    }

    /// A change to `mark` begins; where it only moves instances, the mark stays.
    pub(crate) fn begin(&self, mark: u32) {
        let mut right = self.right.lock().unwrap();
        if let Some(from) = right.last().copied() {
            assert_eq!(right.len(), 1, "one change at a time");
            self.changes.lock().unwrap().push(Change { from, began: Instant::now() });
        }
        right.insert(mark);
    }

    /// A change of all instances at once begins.
    pub(crate) fn begin_flip(&self, mark: u32) {
        *self.flip.lock().unwrap() = Some(Flip { to: mark, seen: None });
        self.begin(mark);
    }

    /// Whether an answer with `mark`, asked for then and read by now, is too old: a request that was
    /// asked before it had the new one.
    pub(crate) fn is_past(&self, mark: u32, asked: Instant) -> bool {
        let mut flip = self.flip.lock().unwrap();
        let Some(flip) = flip.as_mut() else { return false };
        if mark == flip.to {
            flip.seen.get_or_insert_with(Instant::now);
            return false;
        }
        flip.seen.is_some_and(|seen| asked > seen)
    }

    /// The change to `mark` has been reported done.
    pub(crate) fn done(&self, mark: u32) {
        *self.flip.lock().unwrap() = None;
        *self.right.lock().unwrap() = BTreeSet::from([mark]);
    }

    /// Counts a good answer.
    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// Good answers so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> usize {
        self.changes.lock().unwrap().len()
    }

    /// Counts a WebSocket that was told to go when its instance might end.
    pub(crate) fn part(&self) {
        self.partings.fetch_add(1, Relaxed);
    }

    /// How many were told to go so far.
    pub(crate) fn partings(&self) -> u64 {
        self.partings.load(Relaxed)
    }

    /// Notes a fault.
    pub(crate) fn fault(&self, text: String) {
        self.faults.lock().unwrap().push(text);
    }

    /// All faults, the first few of them as text.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    /// Whether an instance of `mark` may end now: some change took traffic from it at least the
    /// drain time ago.
    pub(crate) fn may_end(&self, mark: u32, drain: Duration) -> bool {
        let changes = self.changes.lock().unwrap();
        changes.iter().any(|change| change.from == mark && change.began.elapsed() >= drain)
    }
}
