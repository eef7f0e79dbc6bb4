//! Which images a node is sent, and which it did not get.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{model::ImageId, node::orders::Sight};

/// How the sending of images to a node goes.
#[derive(Debug, Default)]
pub(super) struct Stock {
    under_way: Option<(ImageId, Instant)>,
    failed: BTreeMap<ImageId, Instant>,
}

impl Stock {
    /// The next image to be sent, which is then under way.
    pub(super) fn next(
        &mut self,
        wanted: &BTreeSet<ImageId>,
        sight: Option<&Sight>,
        now: Instant,
    ) -> Option<ImageId> {
        let there = &sight.filter(|sight| sight.fault.is_none())?.images;
        self.failed.retain(|image, at| wanted.contains(image) && now < *at + AGAIN);
        let missing = wanted.difference(there).find(|image| !self.failed.contains_key(*image))?;
        self.under_way = Some((missing.clone(), now));
        Some(missing.clone())
    }

    /// What was under way is there, or is not.
    pub(super) fn ended(&mut self, well: bool, now: Instant) {
        if let Some((image, _)) = self.under_way.take().filter(|_| !well) {
            self.failed.insert(image, now);
        }
    }

    /// Those that are not worth waiting for.
    pub(super) fn wanting(&self) -> BTreeSet<ImageId> {
        let slow = self.under_way.iter().filter(|(_, since)| since.elapsed() >= SLOW);
        self.failed.keys().chain(slow.map(|(image, _)| image)).cloned().collect()
    }
}

/// Until an image is sent again that did not get there.
pub(super) const AGAIN: Duration = Duration::from_secs(30);
/// After so long, instances are started elsewhere instead.
const SLOW: Duration = Duration::from_mins(1);
