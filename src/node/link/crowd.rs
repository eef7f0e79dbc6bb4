//! A bound on how many are inside at once, in which newcomers win.
//!
//! Whoever comes in when an owner, or all together, have as many places as they may has the oldest one
//! of that owner, or of the owner with the most, end. So a crowd of strangers that never say anything
//! keeps nobody out: they have the most, and a node is through long before its turn to go comes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// Who is inside, by owner.
#[derive(Debug)]
pub(super) struct Crowd<O> {
    /// Places at once.
    most: usize,
    /// Of one owner.
    most_each: usize,
    inside: Mutex<Inside<O>>,
}

#[derive(Debug)]
struct Inside<O> {
    next: u64,
    /// In the order of arrival.
    places: BTreeMap<u64, (O, CancellationToken)>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place<O: Ord + Clone> {
    crowd: Arc<Crowd<O>>,
    number: u64,
    lost: CancellationToken,
}

impl<O: Ord + Clone> Crowd<O> {
    pub(super) fn new(most: usize, most_each: usize) -> Arc<Self> {
        let inside = Mutex::new(Inside { next: 0, places: BTreeMap::new() });
        Arc::new(Self { most, most_each, inside })
    }

    /// Gives a place; somebody may lose one by it.
    pub(super) fn enter(self: &Arc<Self>, owner: O) -> Place<O> {
        let mut inside = self.inside();
        if inside.count(&owner) >= self.most_each {
            inside.end_oldest(&owner);
        } else if inside.places.len() >= self.most
            && let Some(busiest) = inside.busiest()
        {
            inside.end_oldest(&busiest);
        }
        let (number, lost) = (inside.next, CancellationToken::new());
        inside.next += 1;
        inside.places.insert(number, (owner, lost.clone()));
        drop(inside);
        Place { crowd: self.clone(), number, lost }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<O>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Ord + Clone> Inside<O> {
    fn count(&self, owner: &O) -> usize {
        self.places.values().filter(|(other, _)| other == owner).count()
    }

    /// The owner with the most places; of several the one whose place is the oldest.
    fn busiest(&self) -> Option<O> {
        let mut counts: BTreeMap<&O, (usize, std::cmp::Reverse<u64>)> = BTreeMap::new();
        for (number, (owner, _)) in &self.places {
            counts.entry(owner).or_insert((0, std::cmp::Reverse(*number))).0 += 1;
        }
        counts.into_iter().max_by_key(|(_, standing)| *standing).map(|(owner, _)| owner.clone())
    }

    fn end_oldest(&mut self, owner: &O) {
        let oldest = self.places.iter().find(|(_, (other, _))| other == owner);
        let Some(number) = oldest.map(|(number, _)| *number) else { return };
        if let Some((_, lost)) = self.places.remove(&number) {
            lost.cancel();
        }
    }
}

impl<O: Ord + Clone> Place<O> {
    /// Ends when the place went to somebody else.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl<O: Ord + Clone> Drop for Place<O> {
    fn drop(&mut self) {
        self.crowd.inside().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets owners in by their letters and shows who still has a place.
    fn check(most: usize, most_each: usize, arrivals: &str, expected: &str) {
        let crowd = Crowd::new(most, most_each);
        let places: Vec<_> = arrivals.chars().map(|owner| (owner, crowd.enter(owner))).collect();
        let kept = places.iter().filter(|(_, place)| !place.lost.is_cancelled());
        assert_eq!(kept.map(|(owner, _)| *owner).collect::<String>(), expected, "{arrivals}");
        assert_eq!(crowd.inside().places.len(), expected.len());
        drop(places);
        assert!(crowd.inside().places.is_empty());
    }

    #[test]
    fn newcomers_win_from_who_has_the_most() {
        check(4, 4, "abcd", "abcd");
        check(4, 2, "aaabb", "aabb");
        check(4, 4, "naaab", "naab");
        check(4, 4, "naaabc", "nabc");
        check(3, 3, "abcd", "bcd");
        check(100, 3, "aaaaaab", "aaab");
    }
}
