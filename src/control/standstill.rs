//! Who stands still because we made them to. What they do not answer meanwhile says nothing of them.
//!
//! Told by whoever pauses, before it does, and not read from the engine: that would be known only after a
//! question went unanswered. Whom somebody else pauses is not in here, and is taken to hang.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::model::ContainerId;

/// Those who stand still now; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Standstill(watch::Sender<BTreeSet<ContainerId>>);

impl Standstill {
    /// They are about to be paused.
    pub fn begin(&self, whom: &BTreeSet<ContainerId>) {
        self.0.send_modify(|still| still.extend(whom.iter().cloned()));
    }

    /// They go on.
    pub fn end(&self, whom: &BTreeSet<ContainerId>) {
        self.0.send_modify(|still| still.retain(|id| !whom.contains(id)));
    }

    /// Waits until that one stands still.
    pub async fn of(&self, id: &ContainerId) {
        // Closed it cannot be: `self` is a sender.
        let _ = self.0.subscribe().wait_for(|still| still.contains(id)).await;
    }
}
