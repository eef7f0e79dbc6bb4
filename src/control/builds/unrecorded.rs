//! Builds that have ended while the store took no writes: their outcomes wait here for the next pass.
//!
//! They are not built again for that. What a daemon that dies had here is, as its record says that
//! it runs.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    build::BuildError,
    model::{Artifact, Build},
    telemetry::chain,
};

/// What a build came to.
pub type Outcome = Result<Artifact, Failure>;

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, for people.
    pub reason: String,
    /// What to do next.
    pub hint: Option<String>,
    /// What the lifecycle of buildpacks would have ended with.
    pub code: Option<u8>,
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self { reason: chain(&error), hint: error.hint(), code: error.code() }
    }
}

impl Failure {
    /// The same with every text as `tell` tells it.
    #[must_use]
    pub(super) fn told(self, tell: impl Fn(&str) -> String) -> Self {
        let hint = self.hint.as_deref().map(&tell);
        Self { reason: tell(&self.reason), hint, code: self.code }
    }
}

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
