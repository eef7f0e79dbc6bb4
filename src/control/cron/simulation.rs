//! Days of cron by one seed each, on a real store: daemons that die before and after any
//! commit, clocks that are set, releases that change and drop jobs, users who pause them and run them at
//! once, runs that end well or not. Whatever happens, each tick has at most one run; and while nothing
//! but deaths happens, each tick has exactly one line of history.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    control::cron::reconcile::{Cron, Memory},
    model::{
        Actor, App, AppName, CronCommand, CronEntry, CronJob, CronName, CronOutcome, Incarnation,
        Overlap, Process, Release, ReleaseVersion, Run, RunStatus, Timestamp,
        build::DeploySettings, run::RUNS_AT_ONCE,
    },
    ops,
    store::{Store, StoreOptions, View, cron, cron::Fired, records, running},
};

struct World {
    dice: fastrand::Rng,
    now: Timestamp,
    cron: Cron,
    /// What calms: only deaths of the daemon and the passing of time.
    calm: bool,
    _home: tempfile::TempDir,
}

fn shop() -> AppName {
    "shop".parse().unwrap()
}

fn user() -> Actor {
    "user".parse().unwrap()
}

impl World {
    async fn new(seed: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        // The night in which Berlin's clocks go forward is among the days.
        let now = Timestamp::parse("2026-03-28T20:00:00Z").unwrap();
        let mut world = Self {
            dice: fastrand::Rng::with_seed(seed),
            now,
            cron: Cron { commits: store.changes(), store, memory: Memory::default() },
            calm: false,
            _home: home,
        };
        let app = App::new(shop(), now);
        world.cron.store.transact(move |tx| tx.put(&app)).await.unwrap();
        world.releases().await;
        world
    }

    /// A release takes over, whose jobs are others.
    async fn releases(&mut self) {
        let mut jobs = BTreeMap::new();
        for name in ["often", "seldom"] {
            if self.dice.u8(..4) > 0 {
                jobs.insert(name.parse::<CronName>().unwrap(), self.job());
            }
        }
        let now = self.now;
        let begun = move |tx: &mut crate::store::Transaction<'_>| {
            let mut app = tx.get::<App>(&"shop".to_owned())?.unwrap();
            app.last_release = app.last_release.next();
            let release = release(app.last_release, jobs, now);
            app.current = Some(Incarnation { release: release.version, restart: 0 });
            tx.put(&release)?;
            tx.put(&app)
        };
        self.cron.store.transact(begun).await.unwrap();
    }

    fn job(&mut self) -> CronJob {
        let schedules = ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 * * * *", "15,45 1-3 * * *"];
        let zones = ["UTC", "Europe/Berlin"];
        let overlaps = [Overlap::Forbid, Overlap::Allow, Overlap::Replace];
        CronJob {
            schedule: self.dice.choice(schedules).unwrap().parse().unwrap(),
            timezone: self.dice.choice(zones).unwrap().parse().unwrap(),
            command: CronCommand::Shell("true".to_owned()),
            process: None,
            memory: None,
            timeout: Duration::from_hours(1),
            overlap: self.dice.choice(overlaps).unwrap(),
            catch_up: Duration::from_mins(self.dice.u64(1..120)),
        }
    }

    async fn happens(&mut self) {
        self.now = self.now.plus(Duration::from_secs(self.dice.u64(1..400)));
        match self.dice.u8(..20) {
            0..6 => self.a_run_ends().await,
            6 => self.cron.memory = Memory::default(),
            // It was stopped for a while.
            7 => self.now = self.now.plus(Duration::from_mins(self.dice.u64(1..300))),
            _ if self.calm => {}
            8 => self.releases().await,
            9 => self.now = Timestamp::from_millis(self.now.as_millis() - 7_200_000),
            10..14 => self.a_user_acts().await,
            _ => {}
        }
    }

    async fn a_user_acts(&mut self) {
        let (what, now) = (self.dice.u8(..3), self.now);
        let job: CronName = self.dice.choice(["often", "seldom"]).unwrap().parse().unwrap();
        let acted = move |tx: &mut crate::store::Transaction<'_>| match what {
            0 => ops::cron::run(tx, &shop(), &job, &user(), now).map(drop),
            1 => ops::cron::pause(tx, &shop(), &job, &user(), now).map(drop),
            _ => ops::cron::resume(tx, &shop(), &job, &user(), now).map(drop),
        };
        // What is refused has changed nothing.
        self.cron.store.transact(acted).await.ok();
    }

    async fn a_run_ends(&mut self) {
        let (now, code) = (self.now, self.dice.u8(..2));
        let ended = move |tx: &mut crate::store::Transaction<'_>| {
            let runs = running::by_age(tx, &shop())?;
            let Some(mut run) = runs.into_iter().find(|run| !run.is_over()) else { return Ok(()) };
            let status = RunStatus::Ended { at: now, code: Some(code), reason: None };
            cron::ended(tx, &run, &status, vec!["words".to_owned()], now)?;
            run.status = status;
            tx.put(&run)
        };
        let ended: Result<(), crate::store::StoreError> = self.cron.store.transact(ended).await;
        ended.unwrap();
    }

    /// All lines of history since the last look, by job; and no tick has two runs.
    fn lines(&self, all: &mut BTreeMap<(CronName, u64), CronEntry>) {
        let snapshot = self.cron.store.snapshot();
        for entry in snapshot.scan::<CronEntry>(&()).unwrap() {
            all.insert((entry.job.clone(), entry.number), entry);
        }
        for run in snapshot.scan::<Run>(&()).unwrap().iter().filter(|run| !run.is_over()) {
            let cron = run.cron.as_ref().unwrap();
            let line = all.get(&(cron.job.clone(), cron.entry)).unwrap();
            let its_own =
                matches!(&line.outcome, CronOutcome::Running { run: it, .. } if *it == run.number);
            assert!(its_own, "the history tells {line:?} of {run:?}");
        }
    }
}

fn release(version: ReleaseVersion, cron: BTreeMap<CronName, CronJob>, at: Timestamp) -> Release {
    let web = Process::plain("web".parse().unwrap(), vec!["run".to_owned()], "run".to_owned());
    let deploy = DeploySettings { cron: Box::new(cron), ..DeploySettings::default() };
    let processes = [(web.name.clone(), web)].into();
    Release { processes, deploy, by: user(), at, ..Release::example(shop(), version) }
}

fn is_run(entry: &CronEntry) -> bool {
    matches!(entry.outcome, CronOutcome::Running { .. } | CronOutcome::Ended { .. })
}

#[tokio::test]
async fn no_tick_has_two_runs_whatever_happens() {
    for seed in 0..30 {
        let mut world = World::new(seed).await;
        let mut all = BTreeMap::new();
        for _ in 0..80 {
            world.happens().await;
            world.cron.act(world.now).await.unwrap();
            world.lines(&mut all);
        }
        let mut ticks = std::collections::BTreeSet::new();
        for ((job, _), entry) in all.iter().filter(|(_, entry)| is_run(entry)) {
            let Some(tick) = entry.tick else { continue };
            assert!(ticks.insert((job, tick)), "seed {seed}: {job} ran twice for {tick}");
        }
        assert!(!all.is_empty() || seed > 0, "seed {seed}: nothing happened");
    }
}

#[tokio::test]
async fn every_tick_has_one_line_of_history_while_daemons_only_die() {
    for seed in 0..20 {
        let mut world = World::new(seed).await;
        world.calm = true;
        world.cron.act(world.now).await.unwrap();
        let (began, mut all) = (world.now, BTreeMap::new());
        for _ in 0..60 {
            world.happens().await;
            world.cron.act(world.now).await.unwrap();
            world.lines(&mut all);
        }
        let app = world.cron.store.snapshot().get::<App>(&"shop".to_owned()).unwrap().unwrap();
        let release = running::serving(&world.cron.store.snapshot(), &app).unwrap().unwrap();
        for (name, job) in *release.deploy.cron {
            let mut told = Vec::new();
            let lines = all.values().filter(|entry| entry.job == name);
            for entry in lines {
                match entry.outcome {
                    CronOutcome::Missed { count, until } => {
                        let from = entry.tick.unwrap();
                        let ticks: Vec<_> = ticks(&job, from, until).collect();
                        assert_eq!(ticks.len() + 1, count as usize, "seed {seed}: {entry:?}");
                        told.push(from);
                        told.extend(ticks);
                    }
                    _ => told.push(entry.tick.unwrap()),
                }
            }
            told.sort();
            let came: Vec<_> = ticks(&job, began, world.now).collect();
            assert_eq!(told, came, "seed {seed}: {name}, {} {}", job.schedule, job.timezone);
        }
    }
}

#[tokio::test]
async fn nobody_ends_for_a_run_that_does_not_begin() {
    let mut world = World::new(1).await;
    let (job, now) = (CronJob { overlap: Overlap::Replace, ..world.job() }, world.now);
    let fired = world.cron.store.transact(move |tx| {
        let app = tx.get::<App>(&"shop".to_owned())?.unwrap();
        let mut state = cron::state(tx, &shop(), &"often".parse().unwrap())?;
        cron::fire(tx, (&app, &mut state), &job, None, (&user(), now))?;
        let other = CronJob { overlap: Overlap::Allow, ..job.clone() };
        let mut others = cron::state(tx, &shop(), &"seldom".parse().unwrap())?;
        for _ in 1..RUNS_AT_ONCE {
            cron::fire(tx, (&app, &mut others), &other, None, (&user(), now))?;
        }
        cron::fire(tx, (&app, &mut state), &job, None, (&user(), now))
    });
    let fired: Result<Fired, crate::store::StoreError> = fired.await;
    assert!(matches!(fired, Ok(Fired::Refused(running::NotBegun::TooMany(_)))), "{fired:?}");
    let runs = world.cron.store.snapshot().scan::<Run>(&()).unwrap();
    assert_eq!(runs.len(), RUNS_AT_ONCE);
    assert!(runs.iter().all(|run| run.stopped_by.is_none()), "{runs:?}");
}

/// The ticks after `from`, up to `until`.
fn ticks(job: &CronJob, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
    let next = move |after: &Timestamp| job.schedule.next(*after, &job.timezone);
    let first = next(&from);
    std::iter::successors(first, next).take_while(move |tick| *tick <= until)
}
