//! One deploy by push of an app at a time: from the look at its refs to their change it takes as long as
//! a build and a rollout. Pushes that deploy nothing need no turn; that refs change takes a moment, and
//! happens one after the other.
//!
//! A push may say that it overtakes those before it: whoever waits or builds then hears of it, and gives way.
//!
//! All of it is in memory and ends with whoever has it, so a daemon that dies leaves no lock.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedMutexGuard, watch},
    time::timeout,
};

use crate::model::AppName;

/// Who may deploy to which app.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<BTreeMap<AppName, Arc<Place>>>>);

#[derive(Debug, Default)]
struct Place {
    door: Arc<tokio::sync::Mutex<()>>,
    changes: Arc<tokio::sync::Mutex<()>>,
    holder: Mutex<Option<(String, Instant)>>,
    /// How many came.
    arrivals: AtomicU64,
    /// Which of them is the last that overtook those before it, and who that is.
    overtaker: watch::Sender<(u64, String)>,
}

/// A push whose pack is here.
#[derive(Debug)]
pub struct Arrival {
    place: Arc<Place>,
    number: u64,
}

/// Who has a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub who: String,
    /// For how long by now.
    pub since: Duration,
}

/// The right to deploy what is pushed to an app, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    place: Arc<Place>,
    _inside: OwnedMutexGuard<()>,
}

impl Arrival {
    /// The right to deploy, once nobody else has it. `who` is told to those who wait; `None` if that took
    /// too long.
    pub async fn turn(&self, who: &str) -> Option<Turn> {
        self.turn_within(PATIENCE, who).await
    }

    async fn turn_within(&self, limit: Duration, who: &str) -> Option<Turn> {
        let place = self.place.clone();
        let inside = timeout(limit, place.door.clone().lock_owned()).await.ok()?;
        *place.holder.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((who.to_owned(), Instant::now()));
        Some(Turn { place, _inside: inside })
    }

    /// Has those that came before give way to this one, which is told to them in these words.
    pub fn overtake(&self, who: &str) {
        self.place.overtaker.send_if_modified(|last| {
            let is_later = self.number > last.0;
            if is_later {
                *last = (self.number, who.to_owned());
            }
            is_later
        });
    }

    /// Waits until a later one overtakes this one, and says who that is.
    pub async fn overtaken(&self) -> String {
        let mut overtaker = self.place.overtaker.subscribe();
        let last = overtaker.wait_for(|(number, _)| *number > self.number).await;
        let who = last.ok().map(|last| last.1.clone());
        // The place, which is ours, has the sender: there is always one.
        who.unwrap_or_default()
    }
}

impl Turns {
    pub(super) fn arrive(&self, app: &AppName) -> Arrival {
        let place = self.place(app);
        let number = place.arrivals.fetch_add(1, Ordering::Relaxed) + 1;
        Arrival { place, number }
    }

    pub(super) fn holder(&self, app: &AppName) -> Option<Holder> {
        let place = self.place(app);
        let holder = place.holder.lock().unwrap_or_else(PoisonError::into_inner);
        holder.as_ref().map(|(who, since)| Holder { who: who.clone(), since: since.elapsed() })
    }

    /// Nobody else changes the refs of the app's repository while the answer is kept.
    pub(super) async fn change(&self, app: &AppName) -> OwnedMutexGuard<()> {
        self.place(app).changes.clone().lock_owned().await
    }

    fn place(&self, app: &AppName) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has a turn or waits for one has the place as well, and who changes refs has a part of it.
        places.retain(|_, place| {
            Arc::strong_count(place) > 1 || Arc::strong_count(&place.changes) > 1
        });
        places.entry(app.clone()).or_default().clone()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.place.holder.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The longest that a push waits for the one before it: two builds and rollouts of the slow sort.
const PATIENCE: Duration = Duration::from_mins(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_for_each_app_and_nobody_for_ever() {
        let (turns, app) = (Turns::default(), "hello".parse().unwrap());
        let first = turns.arrive(&app).turn("alice").await.unwrap();
        let who = |turns: &Turns| turns.holder(&app).map(|holder| holder.who);
        assert_eq!(who(&turns).as_deref(), Some("alice"));
        let other = || turns.arrive(&"other".parse().unwrap());
        assert!(other().turn("bob").await.is_some());
        let soon = Duration::from_millis(10);
        assert!(turns.arrive(&app).turn_within(soon, "bob").await.is_none(), "it waited in vain");
        drop(first);
        assert_eq!(who(&turns), None);
        let change = turns.change(&app).await;
        assert!(other().turn("bob").await.is_some());
        assert!(turns.place(&app).changes.try_lock().is_err(), "others looked, and it is kept");
        drop(change);
        assert!(turns.arrive(&app).turn("bob").await.is_some());
    }

    #[tokio::test]
    async fn who_came_before_gives_way_to_who_overtakes() {
        let (turns, app) = (Turns::default(), "hello".parse().unwrap());
        let [first, second, third] = std::array::from_fn(|_| turns.arrive(&app));
        let soon = Duration::from_millis(10);
        assert!(timeout(soon, first.overtaken()).await.is_err(), "nobody overtook it");
        second.overtake("bob");
        assert_eq!(first.overtaken().await, "bob");
        assert!(timeout(soon, second.overtaken()).await.is_err(), "nobody overtakes himself");
        assert!(timeout(soon, third.overtaken()).await.is_err(), "it came later");
        third.overtake("carol");
        first.overtake("alice");
        assert_eq!(
            (first.overtaken().await, second.overtaken().await),
            ("carol".into(), "carol".into())
        );
    }
}
