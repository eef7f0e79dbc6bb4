//! What is always true.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::edge::EdgeModel;
use crate::{
    control::apps::{
        plan, slots,
        state::AppState,
        step::{Plan, Step},
    },
    engine::fake::Fake,
    model::{
        App, AppName, ContainerId, Incarnation, InstanceState, Observed, Phase, Rollout,
        RolloutNumber, Slot, Timestamp,
    },
    store::{Snapshot, View},
};

/// The laws, with what they remember of the past.
#[derive(Debug, Default)]
pub(super) struct Laws {
    /// Whom the present daemon knows it told to end, of apps that are not destroyed, and when first. The
    /// next one does not know; it may want again who was slow to end.
    told: BTreeMap<ContainerId, Timestamp>,
    /// Rollouts that changed what serves.
    shifted: BTreeSet<(AppName, RolloutNumber)>,
}

impl Laws {
    pub(super) fn daemon_dies(&mut self) {
        self.told.clear();
    }

    pub(super) fn requests_go_to_the_living(&self, sent: &[ContainerId]) {
        for id in sent {
            assert!(
                !self.told.contains_key(id),
                "a request is sent to {id}, which was told to end"
            );
        }
    }

    pub(super) fn plan_is_lawful(
        &self,
        state: &AppState,
        seen: &[Observed],
        plan: &Plan,
        now: Timestamp,
        edge: &EdgeModel,
        fake: &Fake,
    ) {
        let wanted: usize = state.incarnations().iter().map(|one| state.slots_of(*one).len()).sum();
        assert!(plan.steps.len() <= 3 * (seen.len() + wanted + 1), "the plan is not bounded");
        quiet_until_it_looks_again(state, seen, plan, now);
        let find = |id: &ContainerId| {
            seen.iter().find(|o| &o.instance.id == id).expect("plans speak of what was seen")
        };
        let mut started = BTreeSet::new();
        for step in &plan.steps {
            match step {
                Step::Start(spec) => {
                    let place = (spec.incarnation, spec.slot.clone());
                    let taken = seen.iter().any(|o| place_of(o) == place && is_running(o));
                    assert!(!taken, "`{step}`, but the slot has an owner");
                    assert!(started.insert(place), "`{step}` twice");
                    assert!(state.incarnations().contains(&spec.incarnation), "`{step}`: unwanted");
                    assert!(state.app.destroyed_at.is_none(), "`{step}` of a destroyed app");
                }
                Step::Terminate(id, _) => ends_gently(state, seen, find(id), now, edge, fake),
                Step::Kill(id, _) => {
                    let timeout = fake.containers()[id].spec.process.stop_timeout;
                    let told = self.told.get(id).copied().or(find(id).stopping_since);
                    let told = told.expect("it was told before it is killed");
                    assert!(now.since(told) >= timeout, "`{step}` too early");
                }
                Step::Remove(id, _) => {
                    assert!(!is_running(find(id)), "`{step}`, but it runs");
                }
                Step::Advance(_) | Step::Erase | Step::Tell(..) => {}
            }
        }
    }

    /// Remembers what was told to whom.
    pub(super) fn ends_are_known(
        &mut self,
        ended: &[ContainerId],
        before: &Snapshot,
        name: &AppName,
        now: Timestamp,
    ) {
        let Some(app) = before.get::<App>(&name.as_str().to_owned()).unwrap() else { return };
        if app.destroyed_at.is_some() {
            self.shifted.retain(|(app, _)| app != name);
        } else {
            for id in ended {
                self.told.entry(id.clone()).or_insert(now);
            }
        }
    }

    pub(super) fn current_moves_to_the_ready(
        &mut self,
        name: &AppName,
        seen: &[Observed],
        advances: &[RolloutNumber],
        (before, after): (&Snapshot, &Snapshot),
        now: Timestamp,
    ) {
        let key = name.as_str().to_owned();
        let app = |snapshot: &Snapshot| snapshot.get::<App>(&key).unwrap();
        let (Some(before), Some(record)) = (app(before), app(after)) else { return };
        if before.current == record.current {
            return;
        }
        let [rollout] = advances else { panic!("{name}: what serves changed without a rollout") };
        self.shifted.insert((name.clone(), *rollout));
        let current = record.current.expect("it never becomes nothing");
        let state = AppState::load(after, record, std::iter::empty()).unwrap();
        for (slot, process) in state.slots_of(current) {
            let ready = seen.iter().any(|o| {
                place_of(o) == (current, slot.clone()) && slots::is_ready(o, process, now)
            });
            assert!(ready, "{name}: {current} serves, but {slot} was not ready");
        }
    }

    pub(super) fn lost_rollouts_changed_nothing(&self, name: &AppName, after: &Snapshot) {
        for rollout in after.scan::<Rollout>(name.as_str()).unwrap() {
            let lost = match rollout.phase {
                Phase::Failed { .. } | Phase::Superseded => true,
                Phase::Starting | Phase::Shifting | Phase::Draining | Phase::Done => false,
            };
            let shifted = self.shifted.contains(&(name.clone(), rollout.number));
            let word = rollout.phase.word();
            assert!(!(lost && shifted), "{name}: rollout {} {word} served", rollout.number);
        }
    }
}

/// Never two of one slot, never two releases of one app.
pub(super) fn routes_are_single(edge: &EdgeModel, seen: &BTreeMap<AppName, Vec<Observed>>) {
    for (name, ids) in edge.upstreams() {
        let Some(seen) = seen.iter().find(|(app, _)| app.as_str() == name) else { continue };
        let routed: Vec<&Observed> =
            seen.1.iter().filter(|o| ids.contains(&o.instance.id)).collect();
        let slots: BTreeSet<_> = routed.iter().map(|o| &o.instance.slot).collect();
        let incarnations: BTreeSet<_> = routed.iter().map(|o| o.instance.incarnation).collect();
        assert_eq!(slots.len(), routed.len(), "{name}: a slot is routed to twice");
        assert!(incarnations.len() <= 1, "{name}: two releases serve at once");
    }
}

/// Nobody ends who may still get requests, has some, or is the one that is wanted.
fn ends_gently(
    state: &AppState,
    seen: &[Observed],
    one: &Observed,
    now: Timestamp,
    edge: &EdgeModel,
    fake: &Fake,
) {
    let id = &one.instance.id;
    assert!(is_running(one), "{id} is told to end, but does not run");
    if state.app.destroyed_at.is_some() {
        return;
    }
    if one.instance.slot.process.is_web() {
        assert!(!edge.may_send_to(id), "{id} is told to end, but may get requests");
        let unrouted = one.unrouted_since.expect("known to get no requests");
        let drain = state.releases.get(&one.instance.incarnation.release);
        let drain = drain.map_or(Duration::ZERO, |release| release.deploy.drain);
        let idle = one.in_flight == 0 || now.since(unrouted) >= drain;
        assert!(idle, "{id} is told to end, but has requests under way");
    }
    let Some(current) = state.app.current else { return };
    let wanted = state.slots_of(current).iter().any(|(slot, _)| *slot == one.instance.slot);
    if one.instance.incarnation == current && wanted && fake.is_listening(id) {
        let twin =
            |o: &&Observed| place_of(o) == place_of(one) && o.instance.id != *id && is_running(o);
        assert!(seen.iter().find(twin).is_some(), "{id} is told to end, but is wanted");
    }
}

/// While nothing is seen to change, nothing is planned before the moment that the plan itself names.
fn quiet_until_it_looks_again(state: &AppState, seen: &[Observed], plan: &Plan, now: Timestamp) {
    if let Some(at) = plan.look_again {
        assert!(at > now, "it looks again at once, for ever");
    }
    if !plan.steps.is_empty() {
        return;
    }
    let last = plan
        .look_again
        .map_or(now.plus(Duration::from_hours(1)), |at| Timestamp::from_millis(at.as_millis() - 1));
    let later = plan::plan(state, seen, last);
    assert!(later.steps.is_empty(), "it would sleep until {last:?} and miss {:?}", later.steps);
}

fn is_running(observed: &Observed) -> bool {
    matches!(observed.instance.state, InstanceState::Running { .. })
}

fn place_of(observed: &Observed) -> (Incarnation, Slot) {
    (observed.instance.incarnation, observed.instance.slot.clone())
}
