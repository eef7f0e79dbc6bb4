//! Whom the edge asks for files that who is asked first does not have: whoever lingers, and while two
//! releases serve side by side, one of each. Pure.

use std::collections::BTreeMap;

use proxy::{Earlier, Upstream};

use crate::{
    control::{
        apps::{lingering::lingerers, state::AppState},
        routes::service::{listener, upstream, web_slots},
    },
    model::{Health, Incarnation, Observed, Timestamp, rollout::servers},
};

/// They, and for which paths, as the release that serves says; `None` where that is none.
pub(super) fn earlier(state: &AppState, seen: &[Observed], now: Timestamp) -> Option<Earlier> {
    let assets = &state.http()?.assets;
    if assets.is_empty() {
        return None;
    }
    let mut upstreams = side_by_side(state, seen);
    for lingerer in lingerers(state, seen, now) {
        let ready = lingerer.observed.health == Health::Ready;
        let Some(one) = listener(state, lingerer.observed).filter(|_| ready) else { continue };
        if upstreams.iter().all(|known| known.id != one.id) {
            upstreams.push(one);
        }
    }
    let prefixes = assets.iter().map(|prefix| prefix.as_str().into()).collect();
    (!upstreams.is_empty()).then_some(Earlier { prefixes, upstreams })
}

/// One of each release that serves, where there are two, the newest first: between two waves a page of the
/// one may ask the other.
fn side_by_side(state: &AppState, seen: &[Observed]) -> Vec<Upstream> {
    let mut serving: BTreeMap<Incarnation, Upstream> = BTreeMap::new();
    for slot in web_slots(state) {
        let best = servers(&state.app, state.under_way(), &slot).first().copied();
        let Some(best) = best.filter(|best| !serving.contains_key(best)) else { continue };
        if let Some((one, Health::Ready)) = upstream(state, best, &slot, seen) {
            serving.insert(best, one);
        }
    }
    let several = serving.len() > 1;
    serving.into_values().rev().filter(|_| several).collect()
}
