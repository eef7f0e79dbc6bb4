//! One deploy by push of an app at a time: from the look at its refs to their change it takes as long as
//! a build and a rollout. Pushes that deploy nothing need no turn; that refs change takes a moment, and
//! happens one after the other.
//!
//! Both are in memory and end with whoever has them, so a daemon that dies leaves no lock.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::OwnedMutexGuard, time::timeout};

use crate::model::AppName;

/// Who may deploy to which app.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<BTreeMap<AppName, Arc<Place>>>>);

#[derive(Debug, Default)]
struct Place {
    door: Arc<tokio::sync::Mutex<()>>,
    changes: Arc<tokio::sync::Mutex<()>>,
    holder: Mutex<Option<(String, Instant)>>,
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

impl Turns {
    pub(super) async fn take(&self, app: &AppName, who: &str) -> Option<Turn> {
        self.take_within(PATIENCE, app, who).await
    }

    async fn take_within(&self, limit: Duration, app: &AppName, who: &str) -> Option<Turn> {
        let place = self.place(app);
        let inside = timeout(limit, place.door.clone().lock_owned()).await.ok()?;
        *place.holder.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((who.to_owned(), Instant::now()));
        Some(Turn { place, _inside: inside })
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
        let first = turns.take(&app, "alice").await.unwrap();
        let who = |turns: &Turns| turns.holder(&app).map(|holder| holder.who);
        assert_eq!(who(&turns).as_deref(), Some("alice"));
        assert!(turns.take(&"other".parse().unwrap(), "bob").await.is_some());
        let soon = Duration::from_millis(10);
        assert!(turns.take_within(soon, &app, "bob").await.is_none(), "it waited in vain");
        drop(first);
        assert_eq!(who(&turns), None);
        let change = turns.change(&app).await;
        assert!(turns.take(&"other".parse().unwrap(), "bob").await.is_some());
        assert!(turns.place(&app).changes.try_lock().is_err(), "others looked, and it is kept");
        drop(change);
        assert!(turns.take(&app, "bob").await.is_some());
    }
}
