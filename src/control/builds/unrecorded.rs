//! Builds that have ended while the store took no writes: their outcomes wait here for the next pass.
//!
//! They are not built again for that. What a daemon that dies had here is, as its record says that
//! it runs.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::model::{Artifact, Build};

/// What a build came to: an image, or a reason and a hint.
pub type Outcome = Result<Artifact, (String, Option<String>)>;

/// Builds and their outcomes, in the order of their ends. At most one of each app, as there is no
/// next one before its end is on record.
#[derive(Debug, Default)]
pub struct Unrecorded(Mutex<VecDeque<(Build, Outcome)>>);

impl Unrecorded {
    pub(super) fn push(&self, build: Build, outcome: Outcome) {
        self.lock().push_back((build, outcome));
    }

    pub(super) fn first(&self) -> Option<(Build, Outcome)> {
        self.lock().front().cloned()
    }

    pub(super) fn forget_first(&self) {
        self.lock().pop_front();
    }

    /// What a panic left behind is a list still.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Build, Outcome)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
