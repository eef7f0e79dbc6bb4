//! The world of one seed, and the daemon in it: the pass as `reconcile` makes it, step by step.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;

use super::{Home, edge::EdgeModel, laws::Laws};
use crate::{
    control::{
        apps::{
            execute::Executor,
            plan,
            state::{self, AppState},
            step::{Plan, Step},
            unrouted::Unrouted,
        },
        routes::Routes,
    },
    engine::{Engine, fake::Fake},
    logs::Collector,
    model::{
        App, AppName, Build, ContainerId, Event, Health, Instance, InstanceState, Observed,
        Release, Rollout, Timestamp,
    },
    store::{Store, View},
};

/// Everything that one seed moves.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) dice: Rng,
    pub(super) now: Timestamp,
    pub(super) fake: Fake,
    pub(super) apps: Vec<AppName>,
    pub(super) deploys: u32,
    pub(super) sick: BTreeSet<ContainerId>,
    home: Arc<Home>,
    laws: Laws,
    weather: Weather,
    story: Vec<String>,
    // What dies with the daemon.
    executor: Executor<Fake>,
    unrouted: Unrouted,
    pub(super) edge: EdgeModel,
    pub(super) health: BTreeMap<ContainerId, Health>,
    drained: BTreeSet<ContainerId>,
    look_again: Option<Timestamp>,
    busy: bool,
}

/// Whether things go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Stormy,
    Calm,
}

impl World {
    pub(super) fn new(home: &Arc<Home>, seed: u64) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let fake = Fake::new(now);
        let mut dice = Rng::with_seed(seed);
        let count = if dice.u8(..4) == 0 { 2 } else { 1 };
        let names = ["one-app", "other-app"].into_iter().take(count);
        Self {
            seed,
            dice,
            now,
            executor: executor(home, &fake),
            fake,
            apps: names.map(|name| name.parse().unwrap()).collect(),
            deploys: 0,
            sick: BTreeSet::new(),
            home: home.clone(),
            laws: Laws::default(),
            weather: Weather::Stormy,
            story: Vec::new(),
            unrouted: Unrouted::default(),
            edge: EdgeModel::default(),
            health: BTreeMap::new(),
            drained: BTreeSet::new(),
            look_again: None,
            busy: false,
        }
    }

    /// Users and misfortunes for a while.
    pub(super) async fn storm(&mut self) {
        for _ in 0..self.dice.u32(30..70) {
            if self.dice.u8(..100) < 25 {
                self.user().await;
            }
            self.misfortune();
            self.roll_behaviours();
            self.pass().await;
            let longest = [1, 20, 200, 1_000, 5_000, 10_000];
            let longest = *self.dice.choice(&longest).expect("there are some");
            let pause = span(&mut self.dice, 0..longest + 1);
            self.wait(pause);
        }
        self.weather = Weather::Calm;
        self.calm_down();
    }

    /// In calm weather everything becomes as it is wanted, in a bounded time.
    pub(super) async fn converge(&mut self) {
        let deadline = self.now.plus(LONGEST);
        loop {
            let plans = self.pass().await;
            let Err(lacking) = self.laws_at_rest(&plans) else { return };
            assert!(self.now < deadline, "does not converge: {lacking}");
            self.wait(self.nap());
        }
    }

    /// Destroyed apps leave nothing behind.
    pub(super) async fn destroy_all(&mut self) {
        for name in self.apps.clone() {
            // Some of them are destroyed already, or were never made.
            self.destroy(&name).await.ok();
        }
        self.tell("everything is destroyed".to_owned());
        let deadline = self.now.plus(LONGEST);
        while let Err(left) = self.nothing_is_left() {
            assert!(self.now < deadline, "destroyed apps leave {left}");
            self.pass().await;
            self.wait(self.nap());
        }
    }

    /// The daemon dies: what it had in memory is gone, and its edge with it.
    pub(super) fn crash(&mut self) {
        self.tell("daemon: dies and starts again".to_owned());
        self.executor = executor(&self.home, &self.fake);
        self.unrouted = Unrouted::default();
        self.edge = EdgeModel::default();
        self.health.clear();
        self.laws.daemon_dies();
        self.look_again = None;
    }

    pub(super) fn store(&self) -> &Store {
        &self.home.store
    }

    pub(super) fn tell(&mut self, line: String) {
        self.story.push(format!("{:>9} {line}", self.now.as_millis() - 1_000_000));
    }

    /// One pass. Answers the plans of apps that had one.
    async fn pass(&mut self) -> BTreeMap<AppName, Plan> {
        let mut plans = BTreeMap::new();
        self.fake.at(self.now);
        let sent = self.edge.go_on(&mut self.dice, self.now);
        self.laws.requests_go_to_the_living(&sent);
        let snapshot = self.store().snapshot();
        let Ok(instances) = self.fake.instances().await else {
            self.tell("daemon: is blind".to_owned());
            self.busy = true;
            return plans;
        };
        let by_app = state::by_app(instances);
        let states = AppState::load_all(&snapshot, &by_app).unwrap();
        let there = by_app.values().flatten().map(|instance| &instance.id).collect();
        self.executor.forget_all_but(&there);
        self.unrouted.note(self.edge.published(), self.edge.applied(), &there, self.now);
        self.probe();
        let seen = self.observe(by_app);
        for name in seen.keys() {
            assert!(states.contains_key(name), "{name} has instances and no record");
        }
        self.edge.publish(Routes::of(&snapshot, &states, &seen, "test").unwrap());
        self.laws.routes_are_single(&self.edge, &seen);
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
            let idle = Plan { steps: Vec::new(), look_again: plan.look_again };
            let survived = self.carry_out(&name, seen, plan.steps).await;
            if survived == Survived::No {
                return BTreeMap::new();
            }
            plans.insert(name, idle);
        }
        plans
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
        self.laws.steps_are_taken(&steps, &before, name, self.now);
        let advances = steps.iter().filter_map(advance_of).collect::<Vec<_>>();
        self.busy |= !steps.is_empty();
        if let Err(error) = self.executor.execute(name, steps, self.now).await {
            self.tell(format!("{name}: a step failed: {error}"));
        }
        let after = self.store().snapshot();
        self.laws.current_moves_to_the_ready(name, seen, &advances, (&before, &after), self.now);
        self.laws.lost_rollouts_changed_nothing(name, &after);
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
                stopping_since: self.executor.stopping.get(&id).copied(),
                output_kept: instance.is_gone() && self.drained.contains(&id),
                usage: None,
                instance,
            };
            seen.entry(observed.instance.app.clone()).or_default().push(observed);
        }
        seen
    }

    fn wait(&mut self, delay: Duration) {
        self.now = self.now.plus(delay);
    }

    /// As long as the real daemon would wait if nothing told it to look earlier.
    fn nap(&self) -> Duration {
        let period = Duration::from_millis(if self.busy { 500 } else { 5_000 });
        let timer = self.look_again.map_or(period, |at| at.since(self.now).min(period));
        timer.max(Duration::from_millis(1))
    }

    /// What is not yet as it is wanted.
    fn laws_at_rest(&self, plans: &BTreeMap<AppName, Plan>) -> Result<(), String> {
        if self.busy {
            return Err("there is something left to do".to_owned());
        }
        let snapshot = self.store().snapshot();
        let instances = self.fake.containers();
        for app in snapshot.scan::<App>(&()).unwrap() {
            let name = app.name.clone();
            plans.get(&name).ok_or_else(|| format!("no plan for {name}"))?;
            let state = AppState::load(&snapshot, app, std::iter::empty()).unwrap();
            self.laws.app_is_as_wanted(&state, &instances, &self.edge, &self.fake)?;
        }
        Ok(())
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        let (snapshot, mut left) = (self.store().snapshot(), Vec::new());
        for name in &self.apps {
            let app = name.as_str();
            let records = snapshot.get::<App>(&app.to_owned()).unwrap().iter().count()
                + snapshot.scan::<Build>(app).unwrap().len()
                + snapshot.scan::<Release>(app).unwrap().len()
                + snapshot.scan::<Rollout>(app).unwrap().len()
                + snapshot.scan::<Event>(app).unwrap().len();
            if records > 0 {
                left.push(format!("{records} records of {name}"));
            }
        }
        left.extend(self.fake.containers().keys().map(|id| format!("container {id}")));
        left.extend(self.fake.networks().iter().map(|name| format!("network of {name}")));
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    }
}

/// Whether the daemon lived to the end of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survived {
    Yes,
    No,
}

/// The bug report.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.story.len().saturating_sub(80);
            println!("{}", self.story[from..].join("\n"));
            println!("the seed is {}: repeat it with PAAS_SIM_SEED={}", self.seed, self.seed);
        }
    }
}

/// A duration in milliseconds out of that range.
pub(super) fn span(dice: &mut Rng, millis: Range<u64>) -> Duration {
    Duration::from_millis(dice.u64(millis))
}

fn advance_of(step: &Step) -> Option<crate::model::RolloutNumber> {
    match step {
        Step::Advance(advance) => Some(advance.rollout),
        Step::Start(_)
        | Step::Terminate(..)
        | Step::Kill(..)
        | Step::Remove(..)
        | Step::Erase
        | Step::Tell(..) => None,
    }
}

pub(super) fn executor(home: &Arc<Home>, fake: &Fake) -> Executor<Fake> {
    Executor {
        store: home.store.clone(),
        engine: fake.clone(),
        // It is never shown an instance, so that no tail's own pace enters the story.
        collector: Arc::new(Collector::new(fake.clone(), home.logs.clone())),
        logs: home.logs.clone(),
        folders: home.folders.clone(),
        stopping: BTreeMap::new(),
    }
}

/// Longer than the longest back-off, deploy, drain and stop together.
const LONGEST: Duration = Duration::from_mins(4);
