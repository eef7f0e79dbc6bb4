//! Instances that nobody wants any more: taken off the edge, then asked to end, then ended, then
//! removed; each only when the one before is seen to be so.

use std::time::Duration;

use crate::{
    control::apps::{
        state::AppState,
        step::{Plan, Step},
    },
    model::{InstanceState, Observed, Timestamp, process::DEFAULT_STOP_TIMEOUT},
};

/// The next step in the retirement of an instance.
pub fn retire(state: &AppState, observed: &Observed, now: Timestamp, plan: &mut Plan) {
    if let Some(until) = may_finish(state, observed).filter(|until| now < *until) {
        plan.look_again_at(until);
        return;
    }
    let running = matches!(observed.instance.state, InstanceState::Running { .. });
    if !running || observed.stopping_since.is_some() || !serves_requests(observed) {
        return end(state, observed, now, plan);
    }
    // Before the edge has forgotten it, a request may still be on its way to it.
    let Some(unrouted) = observed.unrouted_since else { return };
    let cut = unrouted.plus(drain_of(state, observed));
    if observed.in_flight == 0 || now >= cut {
        end(state, observed, now, plan);
    } else {
        plan.look_again_at(cut);
    }
}

/// The next step in the end of an instance that need not be drained.
pub fn end(state: &AppState, observed: &Observed, now: Timestamp, plan: &mut Plan) {
    let instance = &observed.instance;
    let (id, slot) = (instance.id.clone(), instance.slot.clone());
    match &instance.state {
        InstanceState::Created => plan.steps.push(Step::Remove(id, slot)),
        InstanceState::Exited(exit) => {
            let patience = exit.at.plus(OUTPUT_PATIENCE);
            if observed.output_kept || now >= patience {
                plan.steps.push(Step::Remove(id, slot));
            } else {
                plan.look_again_at(patience);
            }
        }
        InstanceState::Running { .. } => match observed.stopping_since {
            None => plan.steps.push(Step::Terminate(id, slot)),
            Some(since) => {
                let process = state.process_of(instance.incarnation, &instance.slot);
                let timeout = process.map_or(DEFAULT_STOP_TIMEOUT, |process| process.stop_timeout);
                let deadline = since.plus(timeout);
                if now >= deadline {
                    plan.steps.push(Step::Kill(id, slot));
                    plan.look_again_at(now.plus(KILL_AGAIN));
                } else {
                    plan.look_again_at(deadline);
                }
            }
        },
    }
}

/// Until when the command of a release that a newer one took the place of may go on: what it is in the
/// middle of is not safe to cut, and the newer one waits.
fn may_finish(state: &AppState, observed: &Observed) -> Option<Timestamp> {
    let instance = &observed.instance;
    let InstanceState::Running { since } = instance.state else { return None };
    let newer = state.under_way().is_some_and(|rollout| rollout.to != instance.incarnation);
    let alone = newer && instance.slot.process.runs_once() && observed.stopping_since.is_none();
    let release = state.releases.get(&instance.incarnation.release).filter(|_| alone)?;
    Some(since.plus(release.deploy.takeover.release_timeout))
}

fn serves_requests(observed: &Observed) -> bool {
    observed.instance.slot.process.is_web()
}

fn drain_of(state: &AppState, observed: &Observed) -> Duration {
    let release = state.releases.get(&observed.instance.incarnation.release);
    release.map_or(DRAIN, |release| release.deploy.drain)
}

/// For an instance whose release is not known any more.
const DRAIN: Duration = Duration::from_secs(30);

/// How long the rest of the output of an ended instance is waited for.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts to kill what does not die.
const KILL_AGAIN: Duration = Duration::from_secs(5);
