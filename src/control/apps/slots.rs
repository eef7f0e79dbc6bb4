//! One slot: who owns it, and what to do when nobody does.
//!
//! At most one instance owns a slot. One that ended by itself is replaced after a delay that grows
//! with every quick end; the ended one stays until then, so that people see why they wait.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    control::apps::{
        posts::{self, Care},
        state::AppState,
        step::{Plan, Step},
    },
    engine::InstanceSpec,
    model::{
        AppName, Backoff, ContainerId, EventKind, Exit, Health, Incarnation, Instance,
        InstanceState, Observed, Pending, Process, Release, Slot, Timestamp,
    },
};

/// A slot of an incarnation, and what its instance is to run.
#[derive(Debug)]
pub struct Place<'a> {
    /// The app.
    pub state: &'a AppState,
    /// The release of the incarnation.
    pub release: &'a Release,
    /// Of what.
    pub incarnation: Incarnation,
    /// Where.
    pub slot: Slot,
    /// Running what.
    pub process: &'a Process,
}

/// Plans for one slot and returns who owns it: the instance that is to stay, if there is one.
pub fn fill(
    place: &Place<'_>,
    seen: &[Observed],
    now: Timestamp,
    plan: &mut Plan,
) -> Option<ContainerId> {
    let here = || seen.iter().filter(|observed| place.holds(observed));
    if let Some(owner) = owner(place.incarnation, &place.slot, seen) {
        if owner.instance.state == InstanceState::Created {
            plan.steps.push(place.start(owner.instance.attempt));
        }
        return Some(owner.instance.id.clone());
    }
    if here().any(|o| !o.instance.is_gone()) {
        // It was told to end and has not yet; two owners are worse than a pause.
        return None;
    }
    let Some(last) = here().max_by_key(|o| o.instance.attempt) else {
        plan.steps.push(place.start(0));
        return None;
    };
    let InstanceState::Exited(exit) = &last.instance.state else { return None };
    if last.stopping_since.is_some() {
        // It ended because it was told to; there is nothing to be learnt from that.
        return None;
    }
    if exit.ran_for() >= Exit::STABLE {
        // It ran well for long: removing its traces makes the next one the first again.
        return None;
    }
    let due = exit.at.plus(Backoff::RESTARTS.after(quick_ends(last, exit)));
    if now < due {
        plan.look_again_at(due);
        return Some(last.instance.id.clone());
    }
    let text = format!("{} {exit}; starting it again", place.slot);
    plan.steps.push(Step::Tell(EventKind::Instance, text));
    plan.steps.push(place.start(last.instance.attempt.saturating_add(1)));
    None
}

/// Who holds a slot. There may be others in it that run, because somebody started them behind our
/// back; they are not to serve, and will be retired. Or because a machine is back that was lost: then whoever
/// took the place stays if it is ready, who is the younger, however often it had to be started. Of those that are not
/// ready it is the one of the earliest attempt, whom the others are to relieve.
pub fn owner<'a>(
    incarnation: Incarnation,
    slot: &Slot,
    seen: &'a [Observed],
) -> Option<&'a Observed> {
    let alive = |o: &&Observed| {
        o.instance.slot == *slot
            && o.instance.incarnation == incarnation
            && !o.instance.is_gone()
            && o.stopping_since.is_none()
    };
    seen.iter().filter(alive).min_by_key(|o| {
        let rank = rank(o);
        let attempt = if rank == READY { 0 } else { o.instance.attempt };
        (rank, attempt, Reverse(o.instance.running_since()))
    })
}

/// When an instance that ended will be replaced.
pub fn replaced_at(ended: &Observed) -> Option<Timestamp> {
    match &ended.instance.state {
        InstanceState::Exited(exit) => {
            Some(exit.at.plus(Backoff::RESTARTS.after(quick_ends(ended, exit))))
        }
        InstanceState::Created | InstanceState::Running { .. } => None,
    }
}

/// Which ended instances wait for their next start, and until when.
pub fn waiting(
    states: &BTreeMap<AppName, AppState>,
    seen: &BTreeMap<AppName, Vec<Observed>>,
    now: Timestamp,
) -> BTreeMap<ContainerId, Timestamp> {
    let mut waiting = BTreeMap::new();
    for (name, state) in states {
        let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
        let posts = posts::posts(state, seen, now);
        for observed in seen {
            let Instance { id, slot, incarnation, .. } = &observed.instance;
            let wanted = state.app.destroyed_at.is_none()
                && posts.iter().any(|post| {
                    post.care == Care::Fill
                        && post.incarnation == *incarnation
                        && post.slot == *slot
                });
            let due = replaced_at(observed).filter(|due| *due > now);
            if let (true, None, Some(due)) = (wanted, observed.stopping_since, due) {
                waiting.insert(id.clone(), due);
            }
        }
    }
    waiting
}

/// Who is wanted and for whom there is no machine.
pub fn pending(
    states: &BTreeMap<AppName, AppState>,
    seen: &BTreeMap<AppName, Vec<Observed>>,
    now: Timestamp,
) -> BTreeMap<AppName, Vec<Pending>> {
    let mut pending = BTreeMap::new();
    for (name, state) in states.iter().filter(|(_, state)| state.app.destroyed_at.is_none()) {
        let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
        let missing = |post: posts::Post<'_>| {
            let why = state.nowhere(post.incarnation, &post.slot)?.to_owned();
            let held = seen.iter().any(|one| {
                one.instance.slot == post.slot && one.instance.incarnation == post.incarnation
            });
            let release = post.incarnation.release;
            (!held).then_some(Pending { slot: post.slot, release, why })
        };
        let missing: Vec<_> =
            posts::posts(state, seen, now).into_iter().filter_map(missing).collect();
        if !missing.is_empty() {
            pending.insert(name.clone(), missing);
        }
    }
    pending
}

/// Whether an instance can serve. One that nobody can ask can once it has run for a while.
pub fn is_ready(observed: &Observed, process: &Process, now: Timestamp) -> bool {
    match &observed.instance.state {
        InstanceState::Created | InstanceState::Exited(_) => false,
        InstanceState::Running { .. } if process.is_asked() => observed.health == Health::Ready,
        InstanceState::Running { since } => {
            let settled = now.since(*since) >= crate::model::HealthCheck::SETTLED;
            settled && !matches!(observed.health, Health::Hung { .. })
        }
    }
}

impl Place<'_> {
    pub(super) fn holds(&self, observed: &Observed) -> bool {
        observed.instance.slot == self.slot && observed.instance.incarnation == self.incarnation
    }

    pub(super) fn start(&self, attempt: u32) -> Step {
        Step::Start(Box::new(InstanceSpec {
            app: self.state.app.name.clone(),
            slot: self.slot.clone(),
            incarnation: self.incarnation,
            attempt,
            node: None,
            image: self.release.image.clone(),
            process: self.process.clone(),
            environment: self.release.environment(),
            secrets: self.release.secrets.clone(),
            files: self.release.deploy.files.clone(),
            handed: None,
            sent: [].into(),
            disks: Vec::new(),
        }))
    }
}

/// The rank of whoever is ready.
const READY: u8 = 0;

/// The best owner first: whoever is ready, then whoever runs.
fn rank(observed: &Observed) -> u8 {
    match (&observed.instance.state, &observed.health) {
        (InstanceState::Running { .. }, Health::Ready) => READY,
        (InstanceState::Running { .. }, _) => 1,
        (InstanceState::Created | InstanceState::Exited(_), _) => 2,
    }
}

/// How often in a row it ended quickly, this time included.
fn quick_ends(ended: &Observed, exit: &Exit) -> u32 {
    if exit.ran_for() >= Exit::QUICK && ended.instance.attempt == 0 {
        0
    } else {
        ended.instance.attempt + 1
    }
}
