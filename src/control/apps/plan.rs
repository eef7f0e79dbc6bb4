//! The planner: what is wanted × what is seen × now → what to do. Pure, sorted and bounded: no
//! clock, no randomness, no IO, so that every situation can be written down as a test.
//!
//! A plan that was carried out leaves nothing to plan but waiting.

use std::collections::BTreeSet;

use crate::{
    control::apps::{
        command, lingering, post_deploy,
        posts::{self, Care, Post},
        relief, retire, rollout, slots,
        state::AppState,
        step::{Plan, Step},
    },
    model::{ContainerId, Observed, Timestamp},
};

/// What to do for one app.
pub fn plan(state: &AppState, seen: &[Observed], now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if state.app.destroyed_at.is_some() {
        dismantle(state, seen, now, &mut plan);
        return plan;
    }
    rollout::judge(state, seen, now, &mut plan);
    post_deploy::judge(state, seen, now, &mut plan);
    let given_up = plan.steps.iter().any(rollout::gives_up).then(|| state.under_way()).flatten();
    let mut owners: BTreeSet<ContainerId> = BTreeSet::new();
    if let Some(rollout) = given_up {
        // Nothing new is started for what has just failed; it is retired when that is recorded.
        owners.extend(ids_of(seen.iter().filter(|o| o.instance.incarnation == rollout.to)));
    }
    let posts = posts::posts(state, seen, now);
    let turns = relief::turns(state, &posts, seen, now, &mut plan);
    for post in posts {
        if given_up.is_some_and(|rollout| rollout.to == post.incarnation) {
            continue;
        }
        let Post { release, incarnation, slot, process, care } = post;
        let place = slots::Place { state, release, incarnation, slot, process };
        if care == Care::Once {
            owners.extend(command::run(&place, seen, &mut plan));
            continue;
        }
        if care == Care::Fill {
            owners.extend(slots::fill(&place, seen, now, &mut plan));
            relief::relieve(&turns, &place, seen, now, (&mut plan, &mut owners));
            continue;
        }
        let owner = slots::owner(incarnation, &place.slot, seen);
        owners.extend(owner.map(|owner| owner.instance.id.clone()));
    }
    for lingerer in lingering::lingerers(state, seen, now) {
        plan.look_again_at(lingerer.until);
    }
    for observed in seen.iter().filter(|observed| !owners.contains(&observed.instance.id)) {
        retire::retire(state, observed, now, &mut plan);
    }
    plan
}

/// A destroyed app: everything ends, without draining, and then its records go, once it is not kept
/// any more and no other machine has a volume of it: nobody could remove one that is not on record.
fn dismantle(state: &AppState, seen: &[Observed], now: Timestamp, plan: &mut Plan) {
    for observed in seen {
        retire::end(state, observed, now, plan);
    }
    match state.app.is_kept(now) {
        Some(until) => plan.look_again_at(until),
        None if seen.is_empty() && !state.scattered => plan.steps.push(Step::Erase),
        None => {}
    }
}

fn ids_of<'a>(seen: impl Iterator<Item = &'a Observed>) -> impl Iterator<Item = ContainerId> {
    seen.map(|observed| observed.instance.id.clone())
}
