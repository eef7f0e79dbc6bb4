//! What a daemon's process has done with instances of this machine, in whichever of its lives: what it handed to
//! each, and whom it told to end. Whoever starts one again needs the first, and the second to leave those alone.
//!
//! Invariant: it is in memory and nowhere else, since values of secrets are in it. A process that begins anew has
//! no past.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::handout::{Given, HandoutError, Reader};
use crate::{
    engine::place,
    model::{ContainerId, Instance, Timestamp},
};

/// It. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Past(Arc<Mutex<Done>>);

#[derive(Debug, Default)]
struct Done {
    /// By the instance's place.
    given: BTreeMap<String, (Given, Instant)>,
    told_to_end: BTreeSet<ContainerId>,
}

impl Past {
    /// This one is told to end, or is to be gone.
    pub fn ends(&self, id: &ContainerId) {
        self.done().told_to_end.insert(id.clone());
    }

    /// Whether it was told to.
    pub(super) fn was_told_to_end(&self, id: &ContainerId) -> bool {
        self.done().told_to_end.contains(id)
    }

    /// Whoever is at this place is handed this.
    pub(super) fn gave(&self, place: String, given: Given) {
        self.done().given.insert(place, (given, Instant::now()));
    }

    /// Hands it to him again, if it is known what.
    pub(super) fn give_again(&self, place: &str) -> Option<Result<(), HandoutError>> {
        self.done().given.get(place).map(|(given, _)| given.write())
    }

    /// Takes away what these instances of this machine have read, wherever it was put, and forgets all others.
    pub(super) fn tidy(&self, instances: &[Instance], now: Timestamp) {
        let mut done = self.done();
        done.told_to_end.retain(|id| instances.iter().any(|one| one.id == *id));
        done.given.retain(|place, (given, at)| match Reader::of(instances, place) {
            Some(reader) => {
                given.tidy(reader, now);
                true
            }
            None => at.elapsed() < STARTS,
        });
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an instance is by its own account.
pub(super) fn place_of(instance: &Instance) -> String {
    place(&instance.app, &instance.slot, instance.incarnation, instance.attempt)
}

/// What was handed to somebody who is not there after so long is for nobody.
const STARTS: Duration = Duration::from_mins(5);
