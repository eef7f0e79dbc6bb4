//! What is true at rest, after the storm.

use std::collections::{BTreeMap, BTreeSet};

use super::{edge::EdgeModel, world::World};
use crate::{
    control::apps::state::AppState,
    engine::fake::{Fake, FakeContainer},
    model::{App, AppName, Build, ContainerId, Event, Incarnation, Release, Rollout, Slot, Volume},
    store::View,
};

impl World {
    /// What is not yet as it is wanted.
    pub(super) fn is_at_rest(&self, planned: &BTreeSet<AppName>) -> Result<(), String> {
        if self.busy {
            return Err("there is something left to do".to_owned());
        }
        let snapshot = self.store().snapshot();
        let instances = self.fake.containers();
        for app in snapshot.scan::<App>(&()).unwrap() {
            let name = app.name.clone();
            if !planned.contains(&name) {
                return Err(format!("no plan for {name}"));
            }
            let state = AppState::load(&snapshot, app, std::iter::empty()).unwrap();
            app_is_as_wanted(&state, &instances, &self.edge, &self.fake)?;
        }
        Ok(())
    }

    pub(super) fn nothing_is_left(&self) -> Result<(), String> {
        let (snapshot, mut left) = (self.store().snapshot(), Vec::new());
        for name in &self.apps {
            let app = name.as_str();
            let records = snapshot.get::<App>(&app.to_owned()).unwrap().iter().count()
                + snapshot.scan::<Build>(app).unwrap().len()
                + snapshot.scan::<Release>(app).unwrap().len()
                + snapshot.scan::<Rollout>(app).unwrap().len()
                + snapshot.scan::<Volume>(app).unwrap().len()
                + snapshot.scan::<Event>(app).unwrap().len();
            if records > 0 {
                left.push(format!("{records} records of {name}"));
            }
        }
        left.extend(self.fake.containers().keys().map(|id| format!("container {id}")));
        left.extend(self.fake.networks().iter().map(|name| format!("network of {name}")));
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    }
}

/// Exactly what is wanted runs, and exactly the ready are routed to.
fn app_is_as_wanted(
    state: &AppState,
    containers: &BTreeMap<ContainerId, FakeContainer>,
    edge: &EdgeModel,
    fake: &Fake,
) -> Result<(), String> {
    let name = &state.app.name;
    if state.app.destroyed_at.is_some() {
        return Err(format!("{name} is not gone"));
    }
    let mine = || containers.iter().filter(|(_, one)| one.spec.app == *name);
    let there: Vec<(Incarnation, Slot)> =
        mine().map(|(_, one)| (one.spec.incarnation, one.spec.slot.clone())).collect();
    let mut sorted = there.clone();
    sorted.sort();
    let wanted: Vec<(Incarnation, Slot)> = state.app.current.map_or(Vec::new(), |current| {
        state.slots_of(current).into_iter().map(|(slot, _)| (current, slot)).collect()
    });
    if sorted != wanted {
        return Err(format!("{name}: there is {there:?}, wanted is {wanted:?}"));
    }
    let ready: BTreeSet<ContainerId> = mine()
        .filter(|(id, one)| one.spec.slot.process.is_web() && fake.is_listening(id))
        .map(|(id, _)| id.clone())
        .collect();
    let routed = edge.upstreams().remove(name.as_str()).unwrap_or_default();
    if routed.iter().cloned().collect::<BTreeSet<_>>() != ready {
        return Err(format!("{name}: {ready:?} are ready, {routed:?} are routed to"));
    }
    Ok(())
}
