//! Since when the edge sends nothing to whom, and since when it chooses whom for no request. Lost with the
//! process, and so is the edge.
//!
//! An instance is on one of these lists only while every worker of the edge routes by a table that does not
//! have it so and no table that has has been published since: from then on no new request can reach it, or
//! none but those for what others do not have.

use std::collections::{BTreeMap, BTreeSet};

use proxy::Table;

use crate::{
    control::routes,
    model::{ContainerId, Timestamp},
};

/// The lists.
#[derive(Debug, Default)]
pub struct Unrouted {
    nothing: List,
    unchosen: List,
}

type List = BTreeMap<ContainerId, Timestamp>;

impl Unrouted {
    /// Brings the lists up to date: `table` is the newest that was published, `applied` the oldest
    /// generation that a worker still routes by, `there` are the containers that exist.
    pub fn note(
        &mut self,
        table: &Table,
        applied: Option<u64>,
        there: &BTreeSet<&ContainerId>,
        now: Timestamp,
    ) {
        let is_applied = applied.is_some_and(|applied| applied >= table.generation);
        let both = [
            (&mut self.nothing, routes::routed(table)),
            (&mut self.unchosen, routes::chosen(table)),
        ];
        for (list, had) in both {
            // Also while that table is not applied yet: whoever is in it may get requests at any moment.
            list.retain(|id, _| there.contains(id) && !had.contains(id));
            for &id in there.iter().filter(|id| is_applied && !had.contains(**id)) {
                list.entry(id.clone()).or_insert(now);
            }
        }
    }

    /// Since when the edge sends nothing to that container.
    pub fn since(&self, id: &ContainerId) -> Option<Timestamp> {
        self.nothing.get(id).copied()
    }

    /// Since when it chooses that container for no request of its own accord.
    pub fn unchosen_since(&self, id: &ContainerId) -> Option<Timestamp> {
        self.unchosen.get(id).copied()
    }
}
