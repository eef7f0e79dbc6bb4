//! Which images a node is sent, and which it did not get.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{engine::Supply, model::ImageId, node::orders::Sight};

/// The images that a node is to have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// What instances are started of, which may be waited for.
    first: BTreeSet<ImageId>,
    /// What it has in store, to lead with; sent while nothing is waited for.
    then: BTreeSet<ImageId>,
    /// What it keeps if it has it, and cannot be sent.
    lacking: BTreeSet<ImageId>,
}

impl Share {
    /// That of a node which keeps the records, too, and so may lead, or of one that does not.
    pub(super) fn of(supply: &Supply, keeps: bool) -> Self {
        let then = if keeps { supply.spare.clone() } else { BTreeSet::new() };
        Self { first: supply.wanted.clone(), then, lacking: supply.lacking.clone() }
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeSet<ImageId> {
        self.first.union(&self.then).cloned().collect()
    }

    fn contains(&self, image: &ImageId) -> bool {
        self.first.contains(image) || self.then.contains(image)
    }
}

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
        share: &Share,
        sight: Option<&Sight>,
        now: Instant,
    ) -> Option<ImageId> {
        let there = &sight.filter(|sight| sight.fault.is_none())?.images;
        self.failed.retain(|image, at| share.contains(image) && now < *at + AGAIN);
        let mut missing = share.first.difference(there).chain(share.then.difference(there));
        let unsent =
            |image: &&ImageId| !self.failed.contains_key(*image) && !share.lacking.contains(*image);
        let missing = missing.find(unsent)?;
        self.under_way = Some((missing.clone(), now));
        Some(missing.clone())
    }

    /// What was under way is there, or is not.
    pub(super) fn ended(&mut self, well: bool, now: Instant) {
        if let Some((image, _)) = self.under_way.take().filter(|_| !well) {
            self.failed.insert(image, now);
        }
    }

    /// Nothing speaks against sending again what did not get there.
    pub(super) fn forgive(&mut self) {
        self.failed.clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn images(numbers: &[u64]) -> BTreeSet<ImageId> {
        numbers.iter().map(|it| format!("sha256:{it:064x}").parse().unwrap()).collect()
    }

    #[test]
    fn what_is_missing_is_sent_and_what_did_not_get_there_later_again() {
        let (mut stock, now) = (Stock::default(), Instant::now());
        let (wanted, two) = (share(&[1, 2]), images(&[2]).pop_first());
        assert_eq!(stock.next(&wanted, None, now), None, "nothing is known of it");
        let broken = Sight { fault: Some("no Docker".to_owned()), ..Sight::default() };
        assert_eq!(stock.next(&wanted, Some(&broken), now), None);
        let there = Sight { images: images(&[1]), ..Sight::default() };
        assert_eq!(stock.next(&wanted, Some(&there), now), two);
        assert!(stock.wanting().is_empty(), "it is worth waiting for");
        stock.ended(false, now);
        assert_eq!(stock.next(&wanted, Some(&there), now), None);
        assert_eq!(stock.wanting(), images(&[2]));
        assert_eq!(stock.next(&wanted, Some(&there), now + AGAIN), two);
        stock.ended(false, now + AGAIN);
        stock.forgive();
        assert!(stock.wanting().is_empty(), "it is reached anew");
        assert_eq!(stock.next(&wanted, Some(&there), now + AGAIN), two);
        stock.ended(true, now + AGAIN);
        assert!(stock.wanting().is_empty());
        let all = Sight { images: wanted.all(), ..Sight::default() };
        assert_eq!(stock.next(&wanted, Some(&all), now + AGAIN), None);
    }

    fn share(numbers: &[u64]) -> Share {
        Share { first: images(numbers), ..Share::default() }
    }

    #[test]
    fn who_may_lead_gets_what_is_in_store_when_nothing_is_waited_for() {
        let (wanted, spare) = (images(&[2]), images(&[1, 3]));
        let supply = Supply { wanted, spare, lacking: images(&[3]) };
        assert_eq!(Share::of(&supply, false).all(), images(&[2]));
        let all = Share::of(&supply, true);
        assert_eq!(all.all(), images(&[1, 2, 3]), "what cannot be sent is not dropped for that");
        let (mut stock, now, mut there) = (Stock::default(), Instant::now(), Sight::default());
        for number in [2, 1] {
            let next = stock.next(&all, Some(&there), now);
            assert_eq!(next, images(&[number]).pop_first());
            stock.ended(true, now);
            there.images.extend(next);
        }
        assert_eq!(stock.next(&all, Some(&there), now), None);
    }

    #[test]
    fn an_image_that_takes_long_is_not_waited_for() {
        let long_ago = Instant::now().checked_sub(SLOW).unwrap();
        let mut stock = Stock::default();
        let there = Sight::default();
        stock.next(&share(&[3]), Some(&there), long_ago);
        assert_eq!(stock.wanting(), images(&[3]));
    }
}
