//! What is always true.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::edge::EdgeModel;
use crate::{
    control::apps::{
        plan,
        posts::{self, Care},
        slots,
        state::AppState,
        step::{Plan, Step},
    },
    engine::{InstanceSpec, fake::Fake},
    model::{
        App, AppName, ContainerId, Health, Incarnation, InstanceState, Observed, Phase,
        ProcessName, Rollout, RolloutNumber, Slot, Timestamp, rollout::servers,
    },
    store::{Snapshot, View},
};

/// The laws, with what they remember of the past.
#[derive(Debug, Default)]
pub(super) struct Laws {
    /// Whom the present daemon knows it told to end, of apps that are not destroyed, and when first. The
    /// next one does not know; it may want again who was slow to end.
    told: BTreeMap<ContainerId, Timestamp>,
    /// Who was ready in the last pass.
    ready: BTreeSet<(AppName, Incarnation, Slot)>,
    /// What was wanted of each app then.
    formations: BTreeMap<AppName, BTreeMap<ProcessName, u16>>,
}

/// The containers that each app's requests are sent to.
type Routed = BTreeMap<String, Vec<ContainerId>>;

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
        let posts = posts::posts(state, seen, now);
        let most = 3 * (seen.len() + posts.len() + 1);
        assert!(plan.steps.len() <= most, "the plan is not bounded");
        quiet_until_it_looks_again(state, seen, plan, now);
        one_is_relieved_at_a_time(plan);
        let find = |id: &ContainerId| {
            seen.iter().find(|o| &o.instance.id == id).expect("plans speak of what was seen")
        };
        let mut started = BTreeSet::new();
        for step in &plan.steps {
            match step {
                Step::Start(spec) => {
                    let place = (spec.incarnation, spec.slot.clone());
                    // Beside one that hangs another may begin, if both may be at the same time.
                    let alone = state.is_alone(spec.incarnation, &spec.slot.process);
                    let stays = |o: &Observed| alone || !hangs(o);
                    let taken =
                        seen.iter().any(|o| place_of(o) == place && is_running(o) && stays(o));
                    assert!(!taken, "`{step}`, but the slot has an owner");
                    assert!(started.insert(place), "`{step}` twice");
                    let wanted = posts.iter().any(|post| {
                        (post.incarnation, &post.slot) == (spec.incarnation, &spec.slot)
                            && post.care != Care::Keep
                    });
                    assert!(wanted, "`{step}`: unwanted");
                    never_beside_another_writer(spec, seen, fake);
                    never_two_where_one_is_too_many(state, &spec.slot, spec.incarnation, seen);
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
                Step::Advance(_)
                | Step::Count(..)
                | Step::PostDeploy(..)
                | Step::Erase
                | Step::Report(..)
                | Step::Tell(..) => {}
            }
        }
    }

    /// Nobody who could answer is taken off the edge before somebody else answers in the same slot, as
    /// long as anybody is wanted there.
    pub(super) fn nobody_is_dropped_without_another(
        &mut self,
        (before, after): (&Routed, &Routed),
        snapshot: &Snapshot,
        states: &BTreeMap<AppName, AppState>,
        seen: &BTreeMap<AppName, Vec<Observed>>,
    ) {
        for (name, state) in states.iter().filter(|(_, state)| state.app.destroyed_at.is_none()) {
            let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
            // Somebody was taken away because nobody was wanted, and now somebody is.
            if self.formations.insert(name.clone(), state.app.formation.clone()).as_ref()
                != Some(&state.app.formation)
            {
                continue;
            }
            let (was, is) = (before.get(name.as_str()), after.get(name.as_str()));
            let routed = |ids: Option<&Vec<ContainerId>>, o: &Observed| {
                ids.is_some_and(|ids| ids.contains(&o.instance.id))
            };
            for one in seen.iter().filter(|o| routed(was, o) && !routed(is, o)) {
                let well = one.health == Health::Ready && one.stopping_since.is_none();
                let slot = &one.instance.slot;
                let best = servers(&state.app, state.under_way(), slot).first().copied();
                let wanted = best.is_some_and(|best| {
                    state.slots_of(best).iter().any(|(known, _)| known == slot)
                });
                let another = seen.iter().any(|o| o.instance.slot == *slot && routed(is, o));
                // Where the old stood by, a release that failed is not trusted, even if the old died.
                let distrusted = failed(name, one.instance.incarnation, snapshot);
                // Whoever was to answer there was ready a moment ago, and has died since.
                let bereaved = best
                    .is_some_and(|best| self.ready.contains(&(name.clone(), best, slot.clone())));
                // Where two must not be at the same time, nobody is there for a while.
                let recreated = state
                    .under_way()
                    .is_some_and(|rollout| rollout.recreate.contains(&slot.process));
                // A wave that begins anew goes back as a whole, also where the old has fallen sick.
                let anew = state.under_way().is_some_and(|rollout| {
                    rollout.phase == Phase::Starting && rollout.to == one.instance.incarnation
                });
                assert!(
                    !well || anew || recreated || bereaved || !wanted || another || distrusted,
                    "{name}: {slot} of {} is taken off the edge and nobody is there in its place, \
                     best were {best:?}: {:?}",
                    one.instance.incarnation,
                    state.rollout
                );
            }
        }
        self.ready = seen
            .iter()
            .flat_map(|(name, seen)| seen.iter().map(move |one| (name, one)))
            .filter(|(_, one)| one.health == Health::Ready)
            .map(|(name, one)| (name.clone(), one.instance.incarnation, one.instance.slot.clone()))
            .collect();
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
            return;
        }
        for id in ended {
            self.told.entry(id.clone()).or_insert(now);
        }
    }
}

/// What serves changes only by a rollout: forward when all of it is ready, or back.
pub(super) fn current_moves_to_the_ready(
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
    let [number] = advances else { panic!("{name}: what serves changed without a rollout") };
    let current = record.current.expect("it never becomes nothing");
    let rollout = after.get::<Rollout>(&(key.clone(), number.0.into())).unwrap();
    let rollout = rollout.expect("it is on record");
    if rollout.from == Some(current) {
        return;
    }
    assert_eq!(rollout.to, current, "{name}: what serves is neither old nor new");
    let state = AppState::load(after, record, std::iter::empty()).unwrap();
    for (slot, process) in state.slots_of(current) {
        let ready = seen
            .iter()
            .any(|o| place_of(o) == (current, slot.clone()) && slots::is_ready(o, process, now));
        assert!(ready, "{name}: {current} serves, but {slot} was not ready");
    }
}

/// Whatever dies when, a release command never runs a second time.
pub(super) fn commands_run_once(fake: &Fake) {
    for ((name, incarnation, process), runs) in fake.runs() {
        assert!(runs <= 1, "{name}: {process} of {incarnation} ran {runs} times");
    }
}

pub(super) fn lost_rollouts_do_not_serve(name: &AppName, after: &Snapshot) {
    let Some(app) = after.get::<App>(&name.as_str().to_owned()).unwrap() else { return };
    for rollout in after.scan::<Rollout>(name.as_str()).unwrap() {
        let lost = matches!(
            rollout.phase,
            Phase::Reverting { .. } | Phase::Failed { .. } | Phase::Superseded
        );
        let word = rollout.phase.word();
        let serves = app.current == Some(rollout.to);
        assert!(!(lost && serves), "{name}: rollout {} {word} serves", rollout.number);
    }
}

/// Never two of one slot; two releases of one app only where they change wave by wave.
pub(super) fn routes_are_single(
    edge: &EdgeModel,
    states: &BTreeMap<AppName, AppState>,
    seen: &BTreeMap<AppName, Vec<Observed>>,
) {
    for (name, ids) in edge.upstreams() {
        let Some(seen) = seen.iter().find(|(app, _)| app.as_str() == name) else { continue };
        let routed: Vec<&Observed> =
            seen.1.iter().filter(|o| ids.contains(&o.instance.id)).collect();
        let slots: BTreeSet<_> = routed.iter().map(|o| &o.instance.slot).collect();
        let incarnations: BTreeSet<_> = routed.iter().map(|o| o.instance.incarnation).collect();
        assert_eq!(slots.len(), routed.len(), "{name}: a slot is routed to twice");
        let by_waves = states
            .get(seen.0)
            .and_then(AppState::under_way)
            .is_some_and(|rollout| !rollout.waves.is_empty() || !rollout.stand_ins.is_empty());
        assert!(by_waves || incarnations.len() <= 1, "{name}: two releases serve at once");
    }
}

/// What is tried is one instance of the new release, and everybody of the old who can answer does.
pub(super) fn a_canary_replaces_nobody(
    edge: &EdgeModel,
    states: &BTreeMap<AppName, AppState>,
    seen: &BTreeMap<AppName, Vec<Observed>>,
) {
    let upstreams = edge.upstreams();
    for (name, tried) in edge.canaries() {
        let (app, state) = states.iter().find(|(app, _)| app.as_str() == name).expect("its state");
        let rollout = state.under_way().expect("nobody is tried without a rollout");
        let from = rollout.from.expect("a first release is not tried");
        let routed = &upstreams[&name];
        let seen = seen.get(app).map_or(&[][..], Vec::as_slice);
        assert_eq!(tried.len(), 1, "{name}: {tried:?} are tried");
        for one in seen.iter().filter(|o| tried.contains(&o.instance.id)) {
            assert_eq!(one.instance.incarnation, rollout.to, "{name}: an old one is tried");
            assert!(!routed.contains(&one.instance.id), "{name}: it is tried and serves");
        }
        for (slot, _) in state.slots_of(from) {
            let owner = slots::owner(from, &slot, seen);
            let owner = owner.filter(|o| slot.process.is_web() && o.health == Health::Ready);
            let serves = owner.is_none_or(|o| routed.contains(&o.instance.id));
            assert!(serves, "{name}: {slot} of {from} is ready and gets no requests");
        }
    }
}

/// Whether a rollout to that incarnation was given up because it failed.
fn failed(name: &AppName, incarnation: Incarnation, snapshot: &Snapshot) -> bool {
    let rollouts = snapshot.scan::<Rollout>(name.as_str()).unwrap();
    let lost = |phase: &Phase| matches!(phase, Phase::Reverting { .. } | Phase::Failed { .. });
    rollouts.iter().any(|rollout| rollout.to == incarnation && lost(&rollout.phase))
}

/// Nobody is started while somebody else may write to one of its disks.
fn never_beside_another_writer(spec: &InstanceSpec, seen: &[Observed], fake: &Fake) {
    let containers = fake.containers();
    for one in seen.iter().filter(|one| !one.instance.is_gone()) {
        let Some(container) = containers.get(&one.instance.id) else { continue };
        let itself = place_of(one) == (spec.incarnation, spec.slot.clone());
        let disks = &container.spec.process.volumes;
        let shared = spec.process.volumes.keys().find(|volume| disks.contains_key(*volume));
        assert!(
            itself || shared.is_none(),
            "{} of {} is started beside {:?}, and both write to {shared:?}",
            spec.slot,
            spec.incarnation,
            place_of(one)
        );
    }
}

/// Of a process whose old instances end first there are never two incarnations.
fn never_two_where_one_is_too_many(
    state: &AppState,
    slot: &Slot,
    incarnation: Incarnation,
    seen: &[Observed],
) {
    let Some(rollout) = state.under_way() else { return };
    let other = seen.iter().any(|o| {
        o.instance.slot.process == slot.process
            && o.instance.incarnation != incarnation
            && is_running(o)
    });
    let one_wave = rollout.wave_of(slot) == rollout.present_wave();
    let alone = rollout.recreate.contains(&slot.process) && one_wave;
    assert!(!(alone && other), "{slot} of {incarnation} is started beside another");
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
    let wanted = posts::posts(state, seen, now)
        .iter()
        .any(|post| (post.incarnation, post.slot.clone()) == place_of(one));
    let stuck = matches!(one.health, Health::Starting { seen: Some(_), .. })
        || (hangs(one) && state.is_alone(one.instance.incarnation, &one.instance.slot.process));
    if wanted && fake.is_listening(id) && !stuck {
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

fn hangs(observed: &Observed) -> bool {
    matches!(observed.health, Health::Hung { .. })
}

/// Of each process one slot at a time is relieved.
fn one_is_relieved_at_a_time(plan: &Plan) {
    let reports = plan.steps.iter().filter_map(|step| match step {
        Step::Report(text, _) => text.split('.').next(),
        _ => None,
    });
    let mut told = BTreeSet::new();
    for process in reports {
        assert!(told.insert(process.to_owned()), "two of {process} are relieved at once");
    }
}

fn is_running(observed: &Observed) -> bool {
    matches!(observed.instance.state, InstanceState::Running { .. })
}

fn place_of(observed: &Observed) -> (Incarnation, Slot) {
    (observed.instance.incarnation, observed.instance.slot.clone())
}
