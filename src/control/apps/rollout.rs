//! A rollout's way from phase to phase, judged by what is seen of its instances.
//!
//! What serves changes in one place, in the step from Starting to Shifting, and only when every
//! new instance is ready. Before that a fault costs nothing but the new instances.

use std::{net::SocketAddr, time::Duration};

use crate::{
    control::apps::{
        slots,
        state::AppState,
        step::{Advance, Plan, Step},
    },
    model::{
        ContainerId, Health, HealthCheck, InstanceState, Observed, Phase, Process, Release,
        Rollout, Slot, Timestamp,
    },
};

/// Adds the rollout's next phase to the plan, or the moment to look again.
pub fn judge(state: &AppState, seen: &[Observed], now: Timestamp, plan: &mut Plan) {
    let Some(rollout) = &state.rollout else { return };
    let next = match rollout.phase {
        Phase::Starting => starting(state, rollout, seen, now, plan),
        Phase::Shifting => shifting(rollout, seen).then_some((Phase::Draining, None)),
        Phase::Draining => draining(rollout, seen).then_some((Phase::Done, None)),
        Phase::Done | Phase::Failed { .. } | Phase::Superseded => None,
    };
    let Some((to, blame)) = next else { return };
    plan.steps.push(Step::Advance(Advance {
        rollout: rollout.number,
        generation: state.app.generation,
        current: (to == Phase::Shifting).then_some(rollout.to),
        story: story(rollout, &to),
        to,
        blame,
    }));
}

/// Whether this step ends a rollout without success.
pub fn gives_up(step: &Step) -> bool {
    matches!(step, Step::Advance(Advance { to: Phase::Failed { .. }, .. }))
}

/// Whether this step says that the new incarnation is reached.
pub fn has_shifted(step: &Step) -> bool {
    matches!(step, Step::Advance(Advance { to: Phase::Draining, .. }))
}

type Next = Option<(Phase, Option<ContainerId>)>;

fn starting(
    state: &AppState,
    rollout: &Rollout,
    seen: &[Observed],
    now: Timestamp,
    plan: &mut Plan,
) -> Next {
    let Some(release) = state.releases.get(&rollout.to.release) else {
        return Some(fail(None, format!("the record of {} is gone", rollout.to.release), None));
    };
    let mut waiting_for = Vec::new();
    for (slot, process) in state.slots_of(rollout.to) {
        // One that was told to end, because there were more than wanted for a while, says nothing.
        let here = |o: &&Observed| {
            o.instance.slot == slot
                && o.instance.incarnation == rollout.to
                && o.stopping_since.is_none()
        };
        let newest = seen.iter().filter(here).max_by_key(|o| o.instance.attempt);
        if let Some(observed) = newest {
            if let Some(failure) = broken(observed, process, &slot, now, plan) {
                return Some(failure);
            }
            if slots::is_ready(observed, process, now) {
                continue;
            }
        }
        waiting_for.push(slot);
    }
    if waiting_for.is_empty() {
        return Some((Phase::Shifting, None));
    }
    overdue(rollout, release, &waiting_for, now, plan)
}

/// Why an instance will not become ready, if that is certain or has lasted long enough.
fn broken(
    observed: &Observed,
    process: &Process,
    slot: &Slot,
    now: Timestamp,
    plan: &mut Plan,
) -> Next {
    let blame = Some(observed.instance.id.clone());
    let since = match &observed.instance.state {
        InstanceState::Created => return None,
        InstanceState::Exited(exit) => {
            let hint = if exit.out_of_memory {
                format!(
                    "its limit is {}; raise it with `memory` under [process.{}] in paas.toml",
                    process.limits.memory, process.name
                )
            } else {
                "see `paas logs` for all it wrote, mend it and deploy again".to_owned()
            };
            return Some(fail(blame, format!("{slot} {exit}"), Some(hint)));
        }
        InstanceState::Running { since } => *since,
    };
    let (Some(port), Health::Starting { seen, elsewhere }) = (process.port, &observed.health)
    else {
        let settled = since.plus(HealthCheck::SETTLED);
        if process.port.is_none() && now < settled {
            plan.look_again_at(settled);
        }
        return None;
    };
    if !elsewhere.is_empty() {
        let patience = since.plus(ELSEWHERE_PATIENCE);
        if now >= patience {
            let (reason, hint) = listens_elsewhere(slot, port, elsewhere);
            return Some(fail(blame, reason, Some(hint)));
        }
        plan.look_again_at(patience);
    }
    let grace = since.plus(process.health.grace);
    if now >= grace {
        let what = seen.as_deref().unwrap_or("no answer");
        let reason =
            format!("{slot} was not ready {:?} after its start: {what}", process.health.grace);
        let hint = format!(
            "it must listen on 0.0.0.0:$PORT (here {port}); a slower start needs a larger `grace` \
             under [process.{}.health] in paas.toml; a program that serves no pages is no `web`: \
             echo 'worker: COMMAND' > Procfile",
            process.name
        );
        return Some(fail(blame, reason, Some(hint)));
    }
    plan.look_again_at(grace);
    None
}

fn overdue(
    rollout: &Rollout,
    release: &Release,
    waiting_for: &[Slot],
    now: Timestamp,
    plan: &mut Plan,
) -> Next {
    let deadline = rollout.started_at.plus(release.deploy.timeout);
    if now < deadline {
        plan.look_again_at(deadline);
        return None;
    }
    let names: Vec<String> = waiting_for.iter().map(ToString::to_string).collect();
    let reason = format!("{} not ready after {:?}", names.join(", "), release.deploy.timeout);
    let hint =
        "see `paas logs`; a slower start needs a larger `timeout` under [deploy] in paas.toml";
    Some(fail(None, reason, Some(hint.to_owned())))
}

/// The edge sends to the new incarnation and has stopped sending anything to what is not.
fn shifting(rollout: &Rollout, seen: &[Observed]) -> bool {
    let is_new = |o: &&Observed| o.instance.incarnation == rollout.to;
    let routed = |o: &Observed| {
        matches!(o.instance.state, InstanceState::Running { .. })
            && o.instance.slot.process.is_web()
            && o.unrouted_since.is_none()
    };
    // A first deploy replaces nobody, and is not over either before somebody can visit it.
    let mut ready = seen
        .iter()
        .filter(is_new)
        .filter(|o| o.instance.slot.process.is_web() && o.health == Health::Ready)
        .peekable();
    let arrived = ready.peek().is_none() || ready.any(routed);
    arrived && !seen.iter().any(|o| !is_new(&o) && routed(o))
}

/// Nothing but the new incarnation is left.
fn draining(rollout: &Rollout, seen: &[Observed]) -> bool {
    seen.iter().all(|o| o.instance.incarnation == rollout.to)
}

fn fail(
    blame: Option<ContainerId>,
    reason: String,
    hint: Option<String>,
) -> (Phase, Option<ContainerId>) {
    (Phase::Failed { reason, hint, last_lines: Vec::new() }, blame)
}

fn listens_elsewhere(slot: &Slot, port: u16, elsewhere: &[SocketAddr]) -> (String, String) {
    let places: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    let reason =
        format!("{slot} listens on {} and not on 0.0.0.0:$PORT (here {port})", places.join(", "));
    let right_port = elsewhere.iter().any(|address| address.port() == port);
    let loopback = elsewhere.iter().all(|address| address.ip().is_loopback());
    let hint = match elsewhere.first() {
        Some(first) if !right_port => {
            let own = first.port();
            let process = &slot.process;
            let and = if loopback { ", and listen on 0.0.0.0 instead of 127.0.0.1" } else { "" };
            format!(
                "read the port from the environment variable PORT{and}; or keep yours: \
                 `port = {own}` under [process.{process}] in paas.toml{and}"
            )
        }
        Some(_) | None => {
            "listen on all addresses: bind 0.0.0.0 (or `::`) instead of 127.0.0.1".to_owned()
        }
    };
    (reason, hint)
}

fn story(rollout: &Rollout, to: &Phase) -> Option<String> {
    let release = rollout.to.release;
    match to {
        Phase::Shifting => Some(format!("{release} is ready and takes over")),
        Phase::Failed { reason, .. } => Some(match rollout.from {
            Some(from) => format!("{release} failed: {reason}; {} serves on", from.release),
            None => format!("{release} failed: {reason}"),
        }),
        Phase::Starting | Phase::Draining | Phase::Done | Phase::Superseded => None,
    }
}

/// How long an app may listen somewhere else before that is taken for its last word.
const ELSEWHERE_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_port_that_is_listened_on() {
        let slot = Slot { process: "web".parse().unwrap(), index: 1 };
        let hint = |address: &str| listens_elsewhere(&slot, 8080, &[address.parse().unwrap()]).1;
        assert_eq!(
            hint("[::]:3000"),
            "read the port from the environment variable PORT; or keep yours: `port = 3000` under \
             [process.web] in paas.toml"
        );
        assert!(hint("127.0.0.1:5000").contains("0.0.0.0 instead of 127.0.0.1; or keep yours"));
        assert!(hint("127.0.0.1:8080").starts_with("listen on all addresses"));
    }
}
