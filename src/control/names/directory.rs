//! The directory: which instances there are, and which of them names lead to. Pure.
//!
//! A name leads to instances of what serves, and only to those that are ready: one that has begun a
//! rollout's new instances beside the old still means the old, as at the edge.

use std::collections::BTreeMap;

use crate::{
    control::apps::state::AppState,
    model::{
        AppName, Directory, Health, InstanceState, Listed, Listing, NodeName, Observed,
        rollout::servers,
    },
};

/// That of all these apps, made on this machine.
pub fn directory(
    here: &NodeName,
    states: &[AppState],
    seen: &BTreeMap<AppName, Vec<Observed>>,
) -> Directory {
    let listing = |state: &AppState| {
        let seen = seen.get(&state.app.name).map_or(&[][..], Vec::as_slice);
        (state.app.name.clone(), listing(here, state, seen))
    };
    Directory(states.iter().map(listing).collect())
}

fn listing(here: &NodeName, state: &AppState, seen: &[Observed]) -> Listing {
    let mut instances = BTreeMap::new();
    for observed in seen.iter().filter(|observed| runs(observed)) {
        let instance = &observed.instance;
        let may_serve = servers(&state.app, state.under_way(), &instance.slot);
        let best = may_serve.iter().find(|one| {
            let mut beside = seen.iter().filter(|other| other.instance.slot == instance.slot);
            beside.any(|other| other.instance.incarnation == **one && is_well(other))
        });
        let serves = best == Some(&instance.incarnation) && state.app.destroyed_at.is_none();
        let process = state.process_of(instance.incarnation, &instance.slot);
        let listed = Listed {
            process: instance.slot.process.clone(),
            port: process.and_then(|process| process.port),
            named: serves && is_well(observed),
            node: Some(instance.node.as_ref().unwrap_or(here).clone()),
        };
        instances.insert(instance.id.clone(), listed);
    }
    let allow = state.serving().map(|release| release.deploy.private.allow.clone());
    Listing { allow: allow.unwrap_or_default(), instances }
}

fn runs(observed: &Observed) -> bool {
    matches!(observed.instance.state, InstanceState::Running { .. })
}

fn is_well(observed: &Observed) -> bool {
    runs(observed) && observed.stopping_since.is_none() && observed.health == Health::Ready
}
