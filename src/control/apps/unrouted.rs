//! Since when the edge sends nothing to whom. Lost with the process, and so is the edge.
//!
//! An instance is on this list only while every worker of the edge routes by a table without it and
//! no table with it has been published since: from then on no new request can reach it.

use std::collections::{BTreeMap, BTreeSet};

use proxy::Table;

use crate::{
    control::routes,
    model::{ContainerId, Timestamp},
};

/// The list.
#[derive(Debug, Default)]
pub struct Unrouted(BTreeMap<ContainerId, Timestamp>);

impl Unrouted {
    /// Brings the list up to date: `table` is the newest that was published, `applied` the oldest
    /// generation that a worker still routes by, `there` are the containers that exist.
    pub fn note(
        &mut self,
        table: &Table,
        applied: Option<u64>,
        there: &BTreeSet<&ContainerId>,
        now: Timestamp,
    ) {
        let routed = routes::routed(table);
        // Also while that table is not applied yet: whoever is in it may get requests at any moment.
        self.0.retain(|id, _| there.contains(id) && !routed.contains(id));
        if applied.is_none_or(|applied| applied < table.generation) {
            return;
        }
        for &id in there.iter().filter(|id| !routed.contains(**id)) {
            self.0.entry(id.clone()).or_insert(now);
        }
    }

    /// Since when the edge sends nothing to that container.
    pub fn since(&self, id: &ContainerId) -> Option<Timestamp> {
        self.0.get(id).copied()
    }
}
