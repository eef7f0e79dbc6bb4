//! The pass of cron: what serves declares jobs, the clock says which of their ticks went by.
//!
//! Invariant: a tick and its run are recorded in one transaction, and only if what was planned upon is
//! still so. A daemon that dies before it finds the tick again; one that dies after it does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use crate::{
    clock,
    control::{
        cron::plan::{Due, Step, plan},
        task::Task,
    },
    faults,
    model::{
        Actor, App, AppName, CronJob, CronName, CronOutcome, CronState, ReleaseVersion, Timestamp,
    },
    store::{
        Store, StoreError, Transaction, View,
        cron::{self, Fired},
        running,
    },
};

/// The task that keeps the hours.
#[derive(Debug)]
pub struct Cron {
    /// The records.
    pub store: Store,
    /// Moves with every commit of the store.
    pub commits: watch::Receiver<u64>,
    /// What a pass remembers for the next one; all of it could be found out again.
    pub memory: Memory,
}

/// What a pass remembers for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    /// What releases declare, which never changes.
    declared: BTreeMap<(AppName, ReleaseVersion), Arc<Jobs>>,
    /// When the next tick is due.
    look_again: Option<Timestamp>,
}

type Jobs = BTreeMap<CronName, CronJob>;

/// A job that was looked at: what the plan rests upon.
struct Looked {
    app: AppName,
    name: CronName,
    job: Option<CronJob>,
    state: Option<CronState>,
}

impl Task for Cron {
    const NAME: &'static str = "cron";
    type Error = StoreError;

    async fn wait(&mut self) {
        let now = clock::now();
        // Nothing tells when the clock is set; a nap is cheap where there are jobs.
        let again = self.memory.look_again.map(|at| at.since(now).min(NAP));
        tokio::select! {
            _ = self.commits.changed() => {}
            () = sleep(again.unwrap_or(LONG_NAP)) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), StoreError> {
        self.commits.mark_unchanged();
        self.act(clock::now()).await
    }
}

impl Cron {
    /// A pass at that time.
    pub(super) async fn act(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.memory.look_again = None;
        for looked in self.look()? {
            let (step, again) = plan(looked.job.as_ref(), looked.state.as_ref(), now);
            let look_again = self.memory.look_again.into_iter().chain(again);
            self.memory.look_again = look_again.min();
            if let Some(step) = step {
                faults::point("cron.tick");
                // Its commit wakes the next pass, which plans what comes after.
                self.store.transact(move |tx| record(tx, looked, step, now)).await?;
                faults::point("cron.ticked");
            }
        }
        Ok(())
    }

    /// All jobs that are declared, and those that were.
    fn look(&mut self) -> Result<Vec<Looked>, StoreError> {
        let snapshot = self.store.snapshot();
        let mut states: BTreeMap<_, _> = snapshot
            .scan::<CronState>(&())?
            .into_iter()
            .map(|state| ((state.app.clone(), state.job.clone()), state))
            .collect();
        let (mut found, mut current) = (Vec::new(), BTreeSet::new());
        for app in snapshot.scan::<App>(&())? {
            let Some(release) = app.current.filter(|_| app.destroyed_at.is_none()) else {
                continue;
            };
            let key = (app.name.clone(), release.release);
            let jobs = match self.memory.declared.get(&key) {
                Some(jobs) => Arc::clone(jobs),
                None => Arc::new(declared(&snapshot, &app)?),
            };
            for (name, job) in jobs.iter() {
                let state = states.remove(&(app.name.clone(), name.clone()));
                let (app, name, job) = (app.name.clone(), name.clone(), Some(job.clone()));
                found.push(Looked { app, name, job, state });
            }
            self.memory.declared.insert(key.clone(), jobs);
            current.insert(key);
        }
        self.memory.declared.retain(|key, _| current.contains(key));
        found.extend(states.into_iter().map(|((app, name), state)| Looked {
            app,
            name,
            job: None,
            state: Some(state),
        }));
        Ok(found)
    }
}

fn declared(view: &impl View, app: &App) -> Result<Jobs, StoreError> {
    Ok(running::serving(view, app)?.map_or_else(Jobs::new, |release| *release.deploy.cron))
}

/// Does a step, unless what it rests upon has changed since.
fn record(
    tx: &mut Transaction<'_>,
    looked: Looked,
    step: Step,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Looked { app, name, job, state } = looked;
    let Some(app) = tx.get::<App>(&app.as_str().to_owned())? else { return Ok(()) };
    let declared = match app.destroyed_at {
        Some(_) => None,
        None => declared(tx, &app)?.remove(&name),
    };
    let key = (app.name.as_str().to_owned(), name.as_str().to_owned());
    if declared != job || tx.get::<CronState>(&key)? != state {
        return Ok(());
    }
    let mut state = state.unwrap_or_else(|| CronState::new(app.name.clone(), name));
    match (step, job) {
        (Step::Count, Some(job)) => state.counting = Some(state.counting_anew(&job, now)),
        (Step::Tick(due), Some(job)) => tick(tx, (&app, &mut state), &job, due, now)?,
        (Step::Rest, _) | (_, None) => state.counting = None,
    }
    tx.put(&state)
}

/// Deals with what went by.
fn tick(
    tx: &mut Transaction<'_>,
    (app, state): (&App, &mut CronState),
    job: &CronJob,
    due: Due,
    now: Timestamp,
) -> Result<(), StoreError> {
    let by = Actor::platform();
    if let Some(missed) = due.missed {
        let (count, until) = (missed.count, missed.until);
        let outcome = CronOutcome::Missed { count, until };
        cron::note(tx, state, Some(missed.from), outcome, (&by, now))?;
        let times = if count == 1 { "tick was" } else { "ticks were" };
        let text = format!("{count} {times} missed, the last at {}", job.timezone.shown(until));
        cron::alert(tx, state, &text, now)?;
    }
    if let Some(at) = due.run {
        let reason = match cron::fire(tx, (app, state), job, Some(at), (&by, now))? {
            Fired::Begun(_) => None,
            Fired::Refused(why) => Some(why.to_string()),
            Fired::Overlaps(earlier) => Some(format!("{} of it ran still", earlier.number)),
        };
        if let Some(reason) = reason {
            let what = format!("the tick at {} was skipped: {reason}", job.timezone.shown(at));
            cron::note(tx, state, Some(at), CronOutcome::Skipped { reason }, (&by, now))?;
            cron::alert(tx, state, &what, now)?;
        }
    }
    if let Some(counting) = &mut state.counting {
        counting.seen = due.seen;
    }
    Ok(())
}

/// The longest sleep while there are jobs.
const NAP: Duration = Duration::from_secs(30);
/// The same while there are none.
const LONG_NAP: Duration = Duration::from_hours(1);
