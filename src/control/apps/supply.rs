//! Which images other machines are to have, and what is missing here.
//!
//! Whoever leads next has the images that it was sent before: what serves, and what would serve after a rollback,
//! of every app. One that no machine can be sent any more is built anew, when somebody deploys.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    control::apps::{placement, state::AppState},
    engine::{Engine, Supply},
    model::{AppName, ImageId, Release, ReleaseVersion},
    store::{StoreError, View},
};

/// What there is to supply others with.
pub async fn of(
    view: &impl View,
    states: &BTreeMap<AppName, AppState>,
    engine: &impl Engine,
) -> Result<Supply, StoreError> {
    let wanted = placement::images(states.values());
    let spare: BTreeSet<ImageId> = spare(view, states)?.difference(&wanted).cloned().collect();
    let lacking = engine.lacking(wanted.union(&spare).cloned().collect()).await;
    Ok(Supply { wanted, spare, lacking })
}

/// The images of the releases that serve, that are about to, and that did before.
fn spare(
    view: &impl View,
    states: &BTreeMap<AppName, AppState>,
) -> Result<BTreeSet<ImageId>, StoreError> {
    let mut images = BTreeSet::new();
    for state in states.values().filter(|state| state.app.destroyed_at.is_none()) {
        let current = state.app.current.map(|current| current.release);
        let next = state.under_way().map(|rollout| rollout.to.release);
        for version in current.into_iter().chain(next).chain(before(state)) {
            let image = match state.releases.get(&version) {
                Some(release) => Some(release.image.clone()),
                None => {
                    let key = (state.app.name.as_str().to_owned(), u64::from(version.0));
                    view.get::<Release>(&key)?.map(|release| release.image)
                }
            };
            images.extend(image);
        }
    }
    Ok(images)
}

/// The release that served before the one that does, as far as it had other files.
fn before(state: &AppState) -> Option<ReleaseVersion> {
    let current = state.app.current?.release;
    let mut earlier = state.app.earlier.iter().map(|one| one.incarnation.release);
    earlier.find(|version| *version != current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::apps::transcripts::notation,
        store::{Store, StoreOptions, records},
    };

    #[tokio::test]
    async fn whoever_may_lead_next_has_what_serves_and_what_did_before() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(folder.path(), options).unwrap();
        let text = "now 50
             release v1 web=1
             release v2 web=1
             release v3 web=1 worker=1
             disk worker data
             earlier v3.0 40
             earlier v2.0 30
             earlier v1.0 20
             current v3.1";
        let mut state = notation::read(text).state;
        let image =
            |version: u32| state.releases.get(&ReleaseVersion(version)).unwrap().image.clone();
        let (old, now) = ((image(2), image(1)), image(3));
        // Nobody runs of the earlier ones: only the records have them.
        let kept = state.releases.clone();
        state.releases.retain(|version, _| *version == ReleaseVersion(3));
        let put = store.transact(move |tx| kept.values().try_for_each(|release| tx.put(release)));
        let put: Result<(), StoreError> = put.await;
        put.unwrap();
        let states = BTreeMap::from([(state.app.name.clone(), state)]);
        let spare = spare(&store.snapshot(), &states).unwrap();
        assert!(spare == BTreeSet::from([now, old.0]) && !spare.contains(&old.1));
    }
}
