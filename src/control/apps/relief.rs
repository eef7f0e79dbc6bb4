//! Instances that hang: another is started in their place, and they end when it is ready. Pure.
//!
//! Invariant: whoever hangs is ended only when another of his slot is ready, and of each process one slot
//! at a time is relieved. So a check that fails everywhere, because what all of them need is away, ends
//! nobody: one more instance is tried at growing intervals, and visitors are sent on to those there are.
//! Where two must not be at the same time the one that hangs has to end first. Then no other of its process
//! does before that one is ready again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    control::apps::{
        posts::{Care, Post},
        retire,
        slots::{self, Place},
        state::AppState,
        step::{Plan, Step},
    },
    model::{
        Backoff, ContainerId, Health, Incarnation, InstanceState, Observed, Process, ProcessName,
        Slot, Timestamp,
    },
};

/// The slots whose turn it is: of each process at most one.
#[derive(Debug, Default)]
pub struct Turns(BTreeSet<(Incarnation, Slot)>);

/// Whose turn it is now, and when to look again where that is only a matter of time.
pub fn turns(
    state: &AppState,
    posts: &[Post<'_>],
    seen: &[Observed],
    now: Timestamp,
    plan: &mut Plan,
) -> Turns {
    let mut hanging: BTreeMap<(Incarnation, &ProcessName), Vec<(Timestamp, &Slot)>> =
        BTreeMap::new();
    for post in posts.iter().filter(|post| may_be_relieved(state, post)) {
        let Some((owner, _)) = hung(post.incarnation, &post.slot, seen) else { continue };
        let due = due(state, owner, seen);
        let process = (post.incarnation, &post.slot.process);
        hanging.entry(process).or_default().push((due, &post.slot));
    }
    let mut turns = Turns::default();
    for ((incarnation, process), slots) in hanging {
        let described = state.releases.get(&incarnation.release);
        let Some(process) = described.and_then(|release| release.processes.get(process)) else {
            continue;
        };
        if is_busy(incarnation, process, seen, now, plan) {
            continue;
        }
        let Some((due, slot)) = slots.into_iter().min() else { continue };
        if now < due {
            plan.look_again_at(due);
        } else {
            turns.0.insert((incarnation, slot.clone()));
        }
    }
    turns
}

/// Plans for a slot whose owner hangs, and changes who is kept of it: `kept` has its owner.
pub fn relieve(
    turns: &Turns,
    place: &Place<'_>,
    seen: &[Observed],
    now: Timestamp,
    (plan, kept): (&mut Plan, &mut BTreeSet<ContainerId>),
) {
    let Some(owner) = slots::owner(place.incarnation, &place.slot, seen) else { return };
    let successors = || successors(owner, seen);
    let Health::Hung { seen: why } = &owner.health else {
        // A daemon that has just begun does not know yet which of the two is the one that hangs.
        if owner.health == Health::UNKNOWN && place.process.is_asked() {
            let alive = successors().filter(|one| is_alive(one) && one.stopping_since.is_none());
            kept.extend(alive.map(|one| one.instance.id.clone()));
        }
        return;
    };
    let turn = turns.0.contains(&(place.incarnation, place.slot.clone()));
    if place.state.is_alone(place.incarnation, &place.slot.process) {
        if turn {
            kept.remove(&owner.instance.id);
            // It is told when its end begins, which may be after the last of its requests.
            let mut end = Plan::default();
            retire::retire(place.state, owner, now, &mut end);
            if !end.steps.is_empty() {
                let text = format!("{} hangs ({why}); it ends and is started again", place.slot);
                plan.steps.push(Step::Report(text, owner.instance.id.clone()));
            }
        }
        return;
    }
    let newest = successors().map(|one| one.instance.attempt).max();
    if turn {
        let text = format!("{} hangs ({why}); another is started in its place", place.slot);
        plan.steps.push(Step::Report(text, owner.instance.id.clone()));
        let last = newest.unwrap_or(owner.instance.attempt);
        plan.steps.push(place.start(last.saturating_add(1)));
        return;
    }
    for one in successors().filter(|one| Some(one.instance.attempt) == newest) {
        // Of one that ended it is the traces that say how long to wait.
        if one.instance.is_gone() || is_hopeful(one, place.process, now, plan) {
            kept.insert(one.instance.id.clone());
        }
        if one.instance.state == InstanceState::Created && one.stopping_since.is_none() {
            plan.steps.push(place.start(one.instance.attempt));
        }
    }
}

impl AppState {
    /// Whether two instances of a slot of that process must never be at the same time.
    pub fn is_alone(&self, incarnation: Incarnation, process: &ProcessName) -> bool {
        let release = self.releases.get(&incarnation.release);
        release.is_some_and(|release| release.is_alone(process))
    }
}

/// A rollout judges its new instances itself.
fn may_be_relieved(state: &AppState, post: &Post<'_>) -> bool {
    let judged = state.under_way().is_some_and(|rollout| rollout.to == post.incarnation);
    post.care == Care::Fill && !judged
}

/// The owner of a slot, if it hangs, and what was seen of it.
fn hung<'a>(
    incarnation: Incarnation,
    slot: &Slot,
    seen: &'a [Observed],
) -> Option<(&'a Observed, &'a str)> {
    let owner = slots::owner(incarnation, slot, seen)?;
    let Health::Hung { seen } = &owner.health else { return None };
    Some((owner, seen))
}

/// Who is or was to take the place of `owner`.
fn successors<'a>(owner: &'a Observed, seen: &'a [Observed]) -> impl Iterator<Item = &'a Observed> {
    let own = &owner.instance;
    seen.iter().filter(move |one| {
        let one = &one.instance;
        (one.incarnation, &one.slot) == (own.incarnation, &own.slot) && one.attempt > own.attempt
    })
}

/// When the place of one that hangs may be taken.
fn due(state: &AppState, owner: &Observed, seen: &[Observed]) -> Timestamp {
    let InstanceState::Running { since } = owner.instance.state else {
        return Timestamp::default();
    };
    if state.is_alone(owner.instance.incarnation, &owner.instance.slot.process) {
        return since.plus(ALONE);
    }
    let tried = successors(owner, seen).filter_map(|one| match &one.instance.state {
        InstanceState::Exited(exit) => {
            Some(exit.at.plus(RELIEFS.after(one.instance.attempt.saturating_add(1))))
        }
        InstanceState::Created | InstanceState::Running { .. } => None,
    });
    let first = since.plus(RELIEFS.after(owner.instance.attempt));
    tried.chain([first]).max().unwrap_or(first)
}

/// Whether somebody of the process comes or goes, for whom the others wait.
fn is_busy(
    incarnation: Incarnation,
    process: &Process,
    seen: &[Observed],
    now: Timestamp,
    plan: &mut Plan,
) -> bool {
    let mut busy = false;
    for one in seen.iter().filter(|one| is_alive(one)) {
        let instance = &one.instance;
        if instance.incarnation != incarnation || instance.slot.process != process.name {
            continue;
        }
        let owner = slots::owner(incarnation, &instance.slot, seen);
        let owns = owner.is_some_and(|owner| owner.instance.id == instance.id);
        let comes = !matches!(one.health, Health::Failing { .. } | Health::Hung { .. })
            && !slots::is_ready(one, process, now)
            && is_hopeful(one, process, now, plan);
        busy |= !owns || comes;
    }
    busy
}

/// Whether one that is not ready may still become so.
fn is_hopeful(one: &Observed, process: &Process, now: Timestamp, plan: &mut Plan) -> bool {
    let since = match (&one.instance.state, &one.health) {
        (InstanceState::Created, _) => return true,
        (InstanceState::Exited(_), _) | (_, Health::Hung { .. }) => return false,
        (InstanceState::Running { since }, _) => *since,
    };
    let limit = if process.is_asked() { process.health.grace } else { SETTLING };
    let last = since.plus(limit);
    if now < last {
        plan.look_again_at(last);
    }
    now < last
}

fn is_alive(observed: &Observed) -> bool {
    !observed.instance.is_gone()
}

/// Between the tries to put another in the place of one that hangs.
const RELIEFS: Backoff = Backoff { first: Duration::from_secs(5), most: Duration::from_mins(2) };

/// So long lives at least whoever has to end before another can begin.
const ALONE: Duration = Duration::from_mins(1);

/// How long one comes whom nobody can ask.
const SETTLING: Duration = crate::model::HealthCheck::SETTLED;
