//! The edge as control sees it: workers that apply a table some time after it was published, and
//! requests that outlive the table they were routed by.

use std::{collections::BTreeMap, sync::Arc};

use fastrand::Rng;
use proxy::Table;

use super::world::span;
use crate::{
    control::routes::{self, Routes},
    model::{ContainerId, Timestamp},
};

/// The edge of one daemon; it dies with it.
#[derive(Debug, Default)]
pub(super) struct EdgeModel {
    published: Arc<Table>,
    /// What each worker routes by; `None` before it has begun.
    workers: [Option<Arc<Table>>; 2],
    requests: Vec<(ContainerId, Timestamp)>,
}

impl EdgeModel {
    /// Publishes what differs from the last table.
    pub(super) fn publish(&mut self, routes: Routes) {
        if !routes.equals(&self.published) {
            let generation = self.published.generation + 1;
            self.published = Arc::new(routes.into_table(generation));
        }
    }

    pub(super) fn published(&self) -> &Table {
        &self.published
    }

    /// The oldest generation that a worker routes by.
    pub(super) fn applied(&self) -> Option<u64> {
        let generations = self.workers.iter().map(|table| table.as_ref().map(|t| t.generation));
        generations.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Whether a request may still be sent there, now or once a worker applies what is published.
    pub(super) fn may_send_to(&self, id: &ContainerId) -> bool {
        let tables = self.workers.iter().flatten().chain([&self.published]);
        tables.into_iter().any(|table| routes::routed(table).contains(id))
    }

    pub(super) fn in_flight(&self, id: &ContainerId) -> u64 {
        self.requests.iter().filter(|(to, _)| to == id).count() as u64
    }

    /// Requests end, workers apply tables or do not get round to it, and new requests are sent.
    /// Answers whom a request was sent to.
    pub(super) fn go_on(&mut self, dice: &mut Rng, now: Timestamp) -> Vec<ContainerId> {
        self.requests.retain(|(_, until)| *until > now);
        let mut sent = Vec::new();
        for worker in &mut self.workers {
            if dice.u8(..10) < 6 {
                *worker = Some(self.published.clone());
            }
            let Some(table) = worker else { continue };
            for service in table.services.values() {
                let Some(upstream) = dice.choice(&service.upstreams) else { continue };
                let id = ContainerId(upstream.id.as_str().to_owned());
                sent.push(id.clone());
                if dice.u8(..10) < 4 {
                    self.requests.push((id, now.plus(span(dice, 1..8_000))));
                }
            }
        }
        sent
    }

    /// The containers that a service sends requests to, by the newest table.
    pub(super) fn upstreams(&self) -> BTreeMap<String, Vec<ContainerId>> {
        let id = |upstream: &proxy::Upstream| ContainerId(upstream.id.as_str().to_owned());
        self.published
            .services
            .iter()
            .map(|(name, service)| {
                (name.as_str().to_owned(), service.upstreams.iter().map(id).collect())
            })
            .collect()
    }
}
