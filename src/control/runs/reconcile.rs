//! The pass of runs: look at their containers, then at the records, then do what the planner says.
//!
//! Invariant: containers are looked at before the records, so that one without a record never had one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, stream::BoxStream};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    clock,
    control::{
        apps::vault::{Vault, VaultError},
        runs::plan::{Fate, Known, Output, Session, Step, Turn, plan},
        task::Task,
    },
    engine::{Engine, EngineError, RunSpec},
    faults,
    logs::Collector,
    model::{
        Actor, App, AppName, ContainerId, EventKind, Instance, NodeName, Release, Run, RunNumber,
        RunStatus, Timestamp,
    },
    node::{Consoles, runs::spec},
    store::{Store, StoreError, Transaction, View, cron, diary},
    telemetry::chain,
};

/// The task that makes runs so.
pub struct Runs<E: Engine> {
    /// The records.
    pub store: Store,
    /// The containers.
    pub engine: E,
    /// What detached ones write.
    pub collector: Collector<E>,
    /// Which of them somebody talks to.
    pub consoles: Consoles,
    /// Their secrets.
    pub vault: Vault,
    /// What this machine is called, which begins them.
    pub here: NodeName,
    /// Moves with every commit of the store.
    pub commits: watch::Receiver<u64>,
    /// What a pass remembers for the next one; all of it could be found out again.
    pub memory: Memory,
}

impl<E: Engine> std::fmt::Debug for Runs<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runs").field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// What a pass remembers for the next one.
#[derive(Default)]
pub struct Memory {
    /// Since when which container has been told to end.
    stopping: BTreeMap<ContainerId, Timestamp>,
    /// When time alone changes the plan.
    look_again: Option<Timestamp>,
    /// Ticks of the engine, while there is something to wait for.
    ticks: Option<BoxStream<'static, ()>>,
    /// Whether the last pass left nothing to do or to wait for.
    quiet: bool,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("stopping", &self.stopping).finish_non_exhaustive()
    }
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl<E: Engine> Task for Runs<E> {
    const NAME: &'static str = "runs";
    type Error = StoreError;

    async fn wait(&mut self) {
        let now = clock::now();
        let most = if self.memory.quiet { QUIET_PERIOD } else { PERIOD };
        let timer = self.memory.look_again.map_or(most, |at| at.since(now).min(most));
        let ticks = &mut self.memory.ticks;
        let tick = async {
            match ticks {
                Some(stream) => stream.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.commits.changed() => {}
            () = self.consoles.left() => {}
            tick = tick => if tick.is_none() { self.memory.ticks = None },
            () = sleep(timer) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), StoreError> {
        self.commits.mark_unchanged();
        // Commits are frequent and runs are rare: Docker is asked when there is one, and at first.
        let snapshot = self.store.snapshot();
        let active = || snapshot.scan::<Run>(&()).map(|runs| runs.iter().any(|run| !run.is_over()));
        if self.memory.quiet && !active()? {
            return Ok(());
        }
        let containers = match self.engine.runs().await {
            Ok(containers) => containers,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "runs cannot be seen");
                // What was to be looked at then comes after the next sight, not before it at once.
                self.memory.look_again = None;
                self.memory.quiet = false;
                return Ok(());
            }
        };
        if self.memory.ticks.is_none() {
            self.memory.ticks = Some(self.engine.changes());
        }
        self.act(containers).await
    }
}

impl<E: Engine> Runs<E> {
    async fn act(&mut self, containers: Vec<Instance>) -> Result<(), StoreError> {
        let now = clock::now();
        self.vault.tidy_runs(&containers, now);
        let snapshot = self.store.snapshot();
        let runs = snapshot.scan::<Run>(&())?;
        let attached: BTreeSet<_> = runs.iter().filter(|run| run.is_attached()).map(key).collect();
        let of = |one: &Instance| (one.app.clone(), RunNumber(one.slot.index));
        let kept: Vec<Instance> =
            containers.iter().filter(|one| !attached.contains(&of(one))).cloned().collect();
        self.collector.sync(&kept);
        self.memory.stopping.retain(|id, _| containers.iter().any(|one| one.id == *id));
        self.memory.look_again = None;
        self.memory.quiet = containers.is_empty() && runs.iter().all(Run::is_over);
        let on_record: BTreeSet<_> = runs.iter().map(key).collect();
        for container in containers.iter().filter(|one| !on_record.contains(&of(one))) {
            tracing::warn!(app = %container.app, container = %container.id, "removing an orphan");
            self.note(self.engine.remove(&container.id).await.err().map(StepError::from));
        }
        let active: Vec<Run> = runs.iter().filter(|run| !run.is_over()).cloned().collect();
        for run in runs {
            let app = snapshot.get::<App>(&run.app.as_str().to_owned())?;
            let container = containers.iter().find(|one| of(one) == key(&run));
            let goes = app.is_none_or(|app| app.destroyed_at.is_some());
            let fate = if goes { Fate::Goes } else { Fate::Stays };
            let done = self.see_to(&run, container, (fate, turn(&run, &active)), now).await;
            self.note(done.err());
        }
        Ok(())
    }

    /// A fault of one run does not touch the others; it is tried again soon.
    fn note(&mut self, fault: Option<StepError>) {
        let Some(fault) = fault else { return };
        tracing::warn!(error = %chain(&fault), "a run's step failed");
        self.memory.quiet = false;
    }

    async fn see_to(
        &mut self,
        run: &Run,
        container: Option<&Instance>,
        (app, turn): (Fate, Turn),
        now: Timestamp,
    ) -> Result<(), StepError> {
        let kept =
            run.is_attached() || container.is_some_and(|one| self.collector.is_drained(&one.id));
        let here = self.consoles.holds(&run.app, run.number);
        let known = Known {
            run,
            container,
            session: if here { Session::Here } else { Session::None },
            stopping_since: container.and_then(|one| self.memory.stopping.get(&one.id)).copied(),
            output: if kept { Output::Kept } else { Output::Missing },
            app,
            turn,
            elsewhere: run.machine.as_ref().filter(|machine| **machine != self.here),
        };
        let (step, again) = plan(&known, now);
        let is_step = step.is_some();
        let done = match step {
            Some(step) => self.carry_out(run, container, step, now).await,
            None => Ok(()),
        };
        let again = match (&done, again) {
            (Err(_), _) => Some(now.plus(AFTER_FAULT)),
            (Ok(()), Some(again)) => Some(again),
            // Whatever was done may leave something to do.
            (Ok(()), None) => is_step.then(|| now.plus(SOON)),
        };
        self.memory.look_again = self.memory.look_again.into_iter().chain(again).min();
        done
    }

    async fn carry_out(
        &mut self,
        run: &Run,
        container: Option<&Instance>,
        step: Step,
        now: Timestamp,
    ) -> Result<(), StepError> {
        match step {
            Step::Start => match self.start(run).await {
                // An image that is gone, a secret that does not open: nobody waits for that for ever, and no
                // later tick of its job.
                Err(fault) if container.is_none() && now.since(run.at) >= BEGIN_WITHIN => {
                    let reason = Some(format!("it could not begin: {}", chain(&fault)));
                    let status = RunStatus::Ended { at: now, code: None, reason };
                    Ok(self.record(run, None, status).await?)
                }
                done => done,
            },
            Step::Record(status) => Ok(self.record(run, container, status).await?),
            Step::Signal(id, signal) => {
                self.engine.signal(&id, signal).await?;
                self.memory.stopping.entry(id).or_insert(now);
                Ok(())
            }
            Step::Remove(id) => {
                faults::point("runs.remove");
                Ok(self.engine.remove(&id).await?)
            }
        }
    }

    async fn start(&mut self, run: &Run) -> Result<(), StepError> {
        let release = (run.app.as_str().to_owned(), u64::from(run.release.0));
        let release = self.store.snapshot().get::<Release>(&release)?;
        let Some(spec) = release.and_then(|release| spec(run, &release)) else {
            let reason = Some(format!("{} is gone", run.release));
            let status = RunStatus::Ended { at: clock::now(), code: None, reason };
            return Ok(self.record(run, None, status).await?);
        };
        let (key, here) = (key(run), self.here.clone());
        if !self.store.transact(move |tx| claim(tx, &key, here)).await? {
            return Ok(());
        }
        let spec = RunSpec { instance: self.vault.equip(spec.instance)?, ..spec };
        faults::point("runs.start");
        self.engine.start_run(&spec).await?;
        faults::point("runs.started");
        Ok(())
    }

    async fn record(
        &mut self,
        run: &Run,
        container: Option<&Instance>,
        status: RunStatus,
    ) -> Result<(), StoreError> {
        let failed = matches!(status, RunStatus::Ended { code, .. } if code != Some(0));
        let last_lines = match container.filter(|_| failed && run.cron.is_some()) {
            Some(container) => self.last_words(container).await,
            None => Vec::new(),
        };
        let ((app, number), now) = (key(run), clock::now());
        faults::point("runs.record");
        let status = (status, last_lines);
        self.store.transact(move |tx| record(tx, &app, number, status, now)).await
    }

    /// What a run wrote last; what cannot be had in time is left out.
    async fn last_words(&mut self, container: &Instance) -> Vec<String> {
        timeout(LAST_LINES_PATIENCE, self.collector.drained(&container.id)).await.ok();
        let lines = self.collector.last_lines(&container.app, &container.id, LAST_LINES).await;
        lines.unwrap_or_default()
    }
}

/// Whether another run of the same job is in the way of one: one that was told to end and goes on. Which of
/// them is the earlier one times do not say, since clocks are set back; one that was told to end itself
/// does not ask.
fn turn(run: &Run, active: &[Run]) -> Turn {
    let Some(cron) = &run.cron else { return Turn::Now };
    let leaves =
        |other: &Run| other.app == run.app && other.is_of(&cron.job) && other.stopped_by.is_some();
    if active.iter().any(leaves) { Turn::Later } else { Turn::Now }
}

fn key(run: &Run) -> (AppName, RunNumber) {
    (run.app.clone(), run.number)
}

/// Puts on record which machine begins a run; whether it may.
fn claim(
    tx: &mut Transaction<'_>,
    (app, number): &(AppName, RunNumber),
    here: NodeName,
) -> Result<bool, StoreError> {
    let key = (app.as_str().to_owned(), u64::from(number.0));
    let Some(run) = tx.get::<Run>(&key)?.filter(|run| !run.is_over()) else { return Ok(false) };
    if run.machine.is_none() {
        tx.put(&Run { machine: Some(here), ..run })?;
        return Ok(true);
    }
    Ok(run.machine == Some(here))
}

/// Writes how far a run is, unless it is over; an end is told.
fn record(
    tx: &mut Transaction<'_>,
    app: &AppName,
    number: RunNumber,
    (status, last_lines): (RunStatus, Vec<String>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = (app.as_str().to_owned(), u64::from(number.0));
    let Some(mut run) = tx.get::<Run>(&key)?.filter(|run| !run.is_over()) else { return Ok(()) };
    cron::ended(tx, &run, &status, last_lines, now)?;
    if let (RunStatus::Ended { code, reason, .. }, None) = (&status, &run.cron) {
        let code = code.map_or_else(String::new, |code| format!(" with code {code}"));
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let text = format!("{number} ended{code}{reason}");
        diary::write(tx, app, EventKind::Session, text, &Actor::platform(), now)?;
    }
    run.status = status;
    tx.put(&run)
}

/// Lines of a job by the clock that went wrong which are kept with its history.
const LAST_LINES: usize = 10;
/// How long the rest of its output is waited for.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks while something runs: events can be lost.
const PERIOD: Duration = Duration::from_secs(5);
/// The same while nothing does.
const QUIET_PERIOD: Duration = Duration::from_mins(1);
/// After a step, which may leave another.
const SOON: Duration = Duration::from_millis(50);
/// After a step that failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// A run that fails to begin is tried again for so long.
const BEGIN_WITHIN: Duration = Duration::from_mins(5);

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
