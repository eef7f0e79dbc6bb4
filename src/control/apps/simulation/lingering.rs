//! What is always true of those that linger.

use std::collections::{BTreeMap, BTreeSet};

use super::edge::EdgeModel;
use crate::{
    control::apps::{lingering::lingerers, state::AppState},
    model::{AppName, Earlier, Health, Incarnation, Observed, Timestamp, rollout::servers},
};

/// Of whatever served earlier a few instances are asked for files, none of them past its time and none that
/// is given requests as if it served.
pub(super) fn few_linger_and_not_for_long(
    edge: &EdgeModel,
    states: &BTreeMap<AppName, AppState>,
    seen: &BTreeMap<AppName, Vec<Observed>>,
    now: Timestamp,
) {
    let upstreams = edge.upstreams();
    for (name, state) in states {
        let serves = |it: &Earlier| Some(it.incarnation) == state.app.current;
        assert!(!state.app.earlier.iter().any(serves), "{name}: what serves did so earlier");
        let asked = edge.earlier().remove(name.as_str()).unwrap_or_default();
        let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
        for one in lingerers(state, seen, now).iter().map(|one| one.observed) {
            let is_asked = asked.contains(&one.instance.id) || one.health != Health::Ready;
            assert!(is_asked, "{name}: {} lingers and is not asked", one.instance.id);
        }
    }
    for (name, asked) in edge.earlier() {
        let (app, state) = states.iter().find(|(app, _)| app.as_str() == name).expect("its state");
        let seen = seen.get(app).map_or(&[][..], Vec::as_slice);
        let ends = lasting(state).expect("nobody is asked for nothing");
        let mut lingering = BTreeSet::new();
        for one in seen.iter().filter(|o| asked.contains(&o.instance.id)) {
            let of = one.instance.incarnation;
            assert_eq!(one.health, Health::Ready, "{name}: one that is not well is asked");
            let serves = upstreams[&name].contains(&one.instance.id);
            let stands_by = state.under_way().is_some_and(|rollout| rollout.from == Some(of));
            if serves {
                assert_ne!(asked.len(), 1, "{name}: it is asked for what it does not have itself");
            } else {
                assert!(
                    ends.get(&of).is_some_and(|end| now < *end),
                    "{name}: {of} is past its time"
                );
                assert!(lingering.insert(of), "{name}: two of {of} linger");
                lingering.retain(|one| !(stands_by && *one == of));
            }
            let may_serve = servers(&state.app, state.under_way(), &one.instance.slot);
            assert!(!serves || may_serve.contains(&of), "{name}: {of} lingers and serves");
        }
        assert!(lingering.len() <= 3, "{name}: {lingering:?} linger");
    }
}

/// When the files of each of what served earlier cannot be had any more.
fn lasting(state: &AppState) -> Option<BTreeMap<Incarnation, Timestamp>> {
    let lasts = state.http()?.assets_last()?;
    let ends = state.app.earlier.iter().map(|one| (one.incarnation, one.since.plus(lasts)));
    Some(ends.collect())
}
