//! Which images this machine has, asked of its Docker one by one and believed for a while.
//!
//! Not by a list of ours: one that somebody else has named as well is not in it, and is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{engine::EngineError, model::ImageId};

/// The images that were there, and when they were asked for.
#[derive(Debug, Default)]
pub(super) struct OwnImages(Mutex<BTreeMap<ImageId, Instant>>);

impl OwnImages {
    /// Which of these are not there. One of which that cannot be found out counts as there.
    pub(super) async fn lacking<A>(
        &self,
        images: BTreeSet<ImageId>,
        now: Instant,
        is_there: impl Fn(ImageId) -> A,
    ) -> BTreeSet<ImageId>
    where
        A: Future<Output = Result<bool, EngineError>>,
    {
        self.seen().retain(|image, at| images.contains(image) && now < *at + BELIEVED);
        let unknown: Vec<ImageId> = {
            let seen = self.seen();
            images.into_iter().filter(|image| !seen.contains_key(image)).collect()
        };
        let mut lacking = BTreeSet::new();
        for image in unknown {
            match is_there(image.clone()).await {
                Ok(true) => drop(self.seen().insert(image, now)),
                Ok(false) => drop(lacking.insert(image)),
                // A Docker that does not answer once is not asked for all of them.
                Err(_) => return lacking,
            }
        }
        lacking
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<ImageId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until one is asked for again: who removes one by hand is told soon enough.
const BELIEVED: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn image(number: u64) -> ImageId {
        format!("sha256:{number:064x}").parse().unwrap()
    }

    #[tokio::test]
    async fn an_image_that_is_there_is_not_asked_for_all_the_time() {
        let (own, asked, now) = (OwnImages::default(), Mutex::new(Vec::new()), Instant::now());
        let is_there = |one: ImageId| {
            asked.lock().unwrap().push(one.clone());
            std::future::ready(Ok(one == image(1)))
        };
        let (both, second) = (BTreeSet::from([image(1), image(2)]), BTreeSet::from([image(2)]));
        assert_eq!(own.lacking(both.clone(), now, is_there).await, second);
        assert_eq!(own.lacking(both.clone(), now, is_there).await, second);
        assert_eq!(asked.lock().unwrap().split_off(0), [image(1), image(2), image(2)]);
        // Somebody removes it by hand.
        let later = now + BELIEVED;
        assert_eq!(own.lacking(both, later, |_| std::future::ready(Ok(false))).await.len(), 2);
    }

    #[tokio::test]
    async fn what_cannot_be_found_out_counts_as_there() {
        let own = OwnImages::default();
        let fails = |_| {
            let (socket, source) = ("here".to_owned(), "it is away".into());
            std::future::ready(Err(EngineError::Unreachable { socket, source }))
        };
        assert!(own.lacking(BTreeSet::from([image(1)]), Instant::now(), fails).await.is_empty());
    }
}
