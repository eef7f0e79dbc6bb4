//! The daemon: a pass as `reconcile` makes it, under the eyes of the laws.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    laws, lingering,
    world::{Weather, World},
};
use crate::{
    control::{
        apps::{
            plan,
            state::{self, AppState},
            step::Step,
        },
        routes::{EdgeKey, Ground, Routes},
    },
    engine::Engine,
    model::{AppName, ContainerId, Health, Instance, InstanceState, Observed, RolloutNumber},
};

impl World {
    /// One pass. Answers the apps that were planned for.
    pub(super) async fn pass(&mut self) -> BTreeSet<AppName> {
        let mut planned = BTreeSet::new();
        self.fake.at(self.now);
        let sent = self.edge.go_on(&mut self.dice, self.now);
        self.laws.requests_go_to_the_living(&sent);
        let snapshot = self.store().snapshot();
        let Ok(instances) = self.fake.instances().await else {
            self.tell("daemon: is blind");
            self.busy = true;
            return planned;
        };
        let by_app = state::by_app(instances);
        let states = AppState::load_all(&snapshot, &by_app).unwrap();
        let there = by_app.values().flatten().map(|instance| &instance.id).collect();
        self.executor.forget_all_but(&there);
        self.unrouted.note(self.edge.published(), self.edge.applied(), &there, self.now);
        self.probe();
        self.tallies.count(&states, &by_app, |id| self.edge.answered(id));
        let seen = self.observe(by_app);
        for name in seen.keys() {
            assert!(states.contains_key(name), "{name} has instances and no record");
        }
        let ground = Ground {
            domain: "test".to_owned(),
            https: None,
            certificates: Arc::default(),
            key: EdgeKey::new([0; 32]),
            sealing: crate::store::SealingKey::new([7; 32]),
        };
        let before = self.edge.upstreams();
        let routes = Routes::of(&snapshot, &states, &seen, (&ground, self.now)).unwrap();
        self.edge.publish(routes);
        laws::routes_are_single(&self.edge, &states, &seen);
        laws::a_canary_replaces_nobody(&self.edge, &states, &seen);
        lingering::few_linger_and_not_for_long(&self.edge, &states, &seen, self.now);
        let after = self.edge.upstreams();
        self.laws.nobody_is_dropped_without_another((&before, &after), &snapshot, &states, &seen);
        (self.look_again, self.busy) = (None, false);
        for (name, state) in states {
            let seen = seen.get(&name).map_or(&[][..], Vec::as_slice);
            let plan = plan::plan(&state, seen, self.now);
            for step in &plan.steps {
                self.tell(format!("{name}: {step}"));
            }
            self.laws.plan_is_lawful(&state, seen, &plan, self.now, &self.edge, &self.fake);
            self.busy |= state.rollout.is_some() || !plan.steps.is_empty();
            self.look_again = self.look_again.into_iter().chain(plan.look_again).min();
            let survived = self.carry_out(&name, seen, plan.steps).await;
            if survived == Survived::No {
                return BTreeSet::new();
            }
            planned.insert(name);
        }
        planned
    }

    /// Executes a plan, unless the daemon dies in the middle of it.
    async fn carry_out(
        &mut self,
        name: &AppName,
        seen: &[Observed],
        mut steps: Vec<Step>,
    ) -> Survived {
        let stormy = self.weather == Weather::Stormy;
        if stormy && self.dice.u8(..100) < 5 {
            self.user().await;
        }
        let dies = stormy && !steps.is_empty() && self.dice.u8(..100) < 5;
        if dies {
            let done = self.dice.usize(..=steps.len());
            steps.truncate(done);
        }
        let before = self.store().snapshot();
        let mut ended = steps.iter().filter_map(end_of).collect::<Vec<_>>();
        let advances = steps.iter().filter_map(advance_of).collect::<Vec<_>>();
        self.busy |= !steps.is_empty();
        if let Err(error) = self.executor.execute(name, steps, self.now).await {
            self.tell(format!("{name}: a step failed: {error}"));
        }
        // A signal that the engine did not confirm may have come through; nobody can know.
        ended.retain(|id| self.executor.stopping.contains_key(id));
        self.laws.ends_are_known(&ended, &before, name, self.now);
        let after = self.store().snapshot();
        laws::current_moves_to_the_ready(name, seen, &advances, (&before, &after), self.now);
        laws::lost_rollouts_do_not_serve(name, &after);
        laws::commands_run_once(&self.fake);
        if dies {
            self.crash();
            return Survived::No;
        }
        Survived::Yes
    }

    fn observe(
        &mut self,
        by_app: BTreeMap<AppName, Vec<Instance>>,
    ) -> BTreeMap<AppName, Vec<Observed>> {
        let mut seen: BTreeMap<AppName, Vec<Observed>> = BTreeMap::new();
        for instance in by_app.into_values().flatten() {
            let id = instance.id.clone();
            if instance.is_gone() && self.dice.u8(..10) < 7 {
                self.drained.insert(id.clone());
            }
            let running = matches!(instance.state, InstanceState::Running { .. });
            let health = self.health.get(&id).cloned().filter(|_| running);
            let observed = Observed {
                health: health.unwrap_or(Health::UNKNOWN),
                in_flight: self.edge.in_flight(&id),
                unrouted_since: self.unrouted.since(&id),
                unchosen_since: self.unrouted.unchosen_since(&id),
                stopping_since: self.executor.stopping.get(&id).copied(),
                output_kept: instance.is_gone() && self.drained.contains(&id),
                tried: self.tallies.of(&instance.app, &id),
                usage: None,
                instance,
            };
            seen.entry(observed.instance.app.clone()).or_default().push(observed);
        }
        seen
    }
}

/// Whether the daemon lived to the end of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survived {
    Yes,
    No,
}

fn advance_of(step: &Step) -> Option<RolloutNumber> {
    match step {
        Step::Advance(advance) => Some(advance.rollout),
        Step::Start(_)
        | Step::Terminate(..)
        | Step::Kill(..)
        | Step::Remove(..)
        | Step::PostDeploy(..)
        | Step::Count(..)
        | Step::Erase
        | Step::Tell(..)
        | Step::Report(..) => None,
    }
}

fn end_of(step: &Step) -> Option<ContainerId> {
    match step {
        Step::Terminate(id, _) => Some(id.clone()),
        Step::Start(_)
        | Step::Kill(..)
        | Step::Remove(..)
        | Step::PostDeploy(..)
        | Step::Count(..)
        | Step::Advance(_)
        | Step::Erase
        | Step::Tell(..)
        | Step::Report(..) => None,
    }
}
