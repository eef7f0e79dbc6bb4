//! The world of one seed: what it remembers, and its life from the storm to the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;

use super::{Home, edge::EdgeModel, laws::Laws};
use crate::{
    control::apps::{execute::Executor, tallies::Tallies, unrouted::Unrouted},
    engine::fake::Fake,
    logs::Collector,
    model::{AppName, ContainerId, Health, Timestamp},
    node::Past,
    store::Store,
    volumes::VolumeFolders,
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
    pub(super) home: Arc<Home>,
    pub(super) laws: Laws,
    pub(super) weather: Weather,
    pub(super) disks: Disks,
    story: Vec<String>,
    // What dies with the daemon.
    pub(super) executor: Executor<Fake>,
    pub(super) unrouted: Unrouted,
    pub(super) tallies: Tallies,
    pub(super) edge: EdgeModel,
    pub(super) health: BTreeMap<ContainerId, Health>,
    pub(super) drained: BTreeSet<ContainerId>,
    pub(super) look_again: Option<Timestamp>,
    pub(super) busy: bool,
}

/// Whether processes have volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disks {
    None,
    Some,
}

/// Whether things go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Stormy,
    Calm,
}

impl World {
    pub(super) fn new(home: &Arc<Home>, seed: u64, disks: Disks) -> Self {
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
            disks,
            story: Vec::new(),
            unrouted: Unrouted::default(),
            tallies: Tallies::default(),
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
            let planned = self.pass().await;
            let Err(lacking) = self.is_at_rest(&planned) else { return };
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
        self.tell("everything is destroyed");
        let deadline = self.now.plus(LONGEST);
        while let Err(left) = self.nothing_is_left() {
            assert!(self.now < deadline, "destroyed apps leave {left}");
            self.pass().await;
            self.wait(self.nap());
        }
        self.executor.volumes.sweep().unwrap();
    }

    /// The daemon dies: what it had in memory is gone, and its edge with it.
    pub(super) fn crash(&mut self) {
        self.tell("daemon: dies and starts again");
        self.executor = executor(&self.home, &self.fake);
        self.unrouted = Unrouted::default();
        self.tallies = Tallies::default();
        self.edge = EdgeModel::default();
        self.health.clear();
        self.laws.daemon_dies();
        self.look_again = None;
    }

    pub(super) fn store(&self) -> &Store {
        &self.home.store
    }

    pub(super) fn tell(&mut self, line: impl std::fmt::Display) {
        self.story.push(format!("{:>9} {line}", self.now.as_millis() - 1_000_000));
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
}

/// The bug report.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.story.len().saturating_sub(80);
            println!("{}", self.story[from..].join("\n"));
            let (seed, disks) = (self.seed, self.disks);
            println!("the seed is {seed}, disks {disks:?}: repeat it with PAAS_SIM_SEED={seed}");
        }
    }
}

/// A duration in milliseconds out of that range.
pub(super) fn span(dice: &mut Rng, millis: Range<u64>) -> Duration {
    Duration::from_millis(dice.u64(millis))
}

pub(super) fn executor(home: &Arc<Home>, fake: &Fake) -> Executor<Fake> {
    Executor {
        store: home.store.clone(),
        engine: fake.clone(),
        // It is never shown an instance, so that no tail's own pace enters the story.
        collector: Arc::new(Collector::new(fake.clone(), home.logs.clone())),
        logs: home.logs.clone(),
        vault: home.vault(),
        folders: home.folders.clone(),
        volumes: VolumeFolders::new(home.folder.path()),
        here: "box".parse().unwrap(),
        stopping: BTreeMap::new(),
        past: Past::default(),
    }
}

/// Longer than the longest back-off, deploy, drain and stop together.
const LONGEST: Duration = Duration::from_mins(4);
