//! The edge as control sees it: workers that apply a table some time after it was published, and
//! requests that outlive the table they were routed by.

use std::{collections::BTreeMap, sync::Arc};

use fastrand::Rng;
use proxy::Table;

use super::world::span;
use crate::{
    control::routes::{self, Routes},
    model::{ContainerId, Sample, Timestamp},
};

/// The edge of one daemon; it dies with it.
#[derive(Debug, Default)]
pub(super) struct EdgeModel {
    published: Arc<Table>,
    /// What each worker routes by; `None` before it has begun.
    workers: [Option<Arc<Table>>; 2],
    requests: Vec<(ContainerId, Timestamp)>,
    answered: BTreeMap<ContainerId, Sample>,
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
                let tried = service.canary.as_ref().filter(|_| dice.u8(..5) == 0);
                let among = tried.map_or(&service.upstreams, |canary| &canary.upstreams);
                let Some(upstream) = dice.choice(among) else { continue };
                let id = ContainerId(upstream.id.as_str().to_owned());
                // Some are all thumbs, and nobody knows before they are asked.
                let thumbs = id.0.ends_with(['2', '6']);
                let sample = self.answered.entry(id.clone()).or_default();
                sample.answers += 1;
                sample.errors += u64::from(thumbs && dice.u8(..4) > 0);
                sent.push(id.clone());
                if dice.u8(..10) < 4 {
                    self.requests.push((id, now.plus(span(dice, 1..8_000))));
                }
                let earlier = service.earlier.iter().flat_map(|earlier| &earlier.upstreams);
                for upstream in earlier.filter(|_| dice.u8(..10) < 3).collect::<Vec<_>>() {
                    let id = ContainerId(upstream.id.as_str().to_owned());
                    sent.push(id.clone());
                    self.requests.push((id, now.plus(span(dice, 1..8_000))));
                }
            }
        }
        sent
    }

    /// What a container answered.
    pub(super) fn answered(&self, id: &ContainerId) -> Sample {
        self.answered.get(id).copied().unwrap_or_default()
    }

    /// The containers that are tried beside others, by the newest table.
    pub(super) fn canaries(&self) -> BTreeMap<String, Vec<ContainerId>> {
        let id = |upstream: &proxy::Upstream| ContainerId(upstream.id.as_str().to_owned());
        let canaries = self.published.services.iter().filter_map(|(name, service)| {
            let canary = service.canary.as_ref()?;
            Some((name.as_str().to_owned(), canary.upstreams.iter().map(id).collect()))
        });
        canaries.collect()
    }

    /// The containers that are asked for what others do not have, by the newest table.
    pub(super) fn earlier(&self) -> BTreeMap<String, Vec<ContainerId>> {
        let id = |upstream: &proxy::Upstream| ContainerId(upstream.id.as_str().to_owned());
        let earlier = self.published.services.iter().filter_map(|(name, service)| {
            let earlier = service.earlier.as_ref()?;
            Some((name.as_str().to_owned(), earlier.upstreams.iter().map(id).collect()))
        });
        earlier.collect()
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
