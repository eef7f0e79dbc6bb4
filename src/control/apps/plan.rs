//! The planner: what is wanted × what is seen × now → what to do. Pure, sorted and bounded: no
//! clock, no randomness, no IO, so that every situation can be written down as a test.
//!
//! A plan that was carried out leaves nothing to plan but waiting.

use std::collections::BTreeSet;

use crate::{
    control::apps::{
        retire, rollout, slots,
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
    let failed = plan.steps.iter().any(rollout::gives_up);
    let mut owners: BTreeSet<ContainerId> = BTreeSet::new();
    for incarnation in state.incarnations() {
        let abandoned = failed && Some(incarnation) == state.target();
        if abandoned && Some(incarnation) != state.app.current {
            // Nothing new is started for what has just failed; it is retired when that is recorded.
            owners.extend(ids_of(seen.iter().filter(|o| o.instance.incarnation == incarnation)));
            continue;
        }
        let Some(release) = state.releases.get(&incarnation.release) else { continue };
        for (slot, process) in state.slots_of(incarnation) {
            let place = slots::Place { state, release, incarnation, slot, process };
            owners.extend(slots::fill(&place, seen, now, &mut plan));
        }
    }
    for observed in seen.iter().filter(|observed| !owners.contains(&observed.instance.id)) {
        retire::retire(state, observed, now, &mut plan);
    }
    plan
}

/// A destroyed app: everything ends, without draining, and then its records go.
fn dismantle(state: &AppState, seen: &[Observed], now: Timestamp, plan: &mut Plan) {
    for observed in seen {
        retire::end(state, observed, now, plan);
    }
    if seen.is_empty() {
        plan.steps.push(Step::Erase);
    }
}

fn ids_of<'a>(seen: impl Iterator<Item = &'a Observed>) -> impl Iterator<Item = ContainerId> {
    seen.map(|observed| observed.instance.id.clone())
}
