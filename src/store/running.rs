//! Beginning a run: the one change of records that users and the clock lead to alike.

use std::time::Duration;

use crate::{
    model::{
        Actor, App, AppName, ByteSize, CronTick, EventKind, ProcessName, Release, ReleaseVersion,
        Run, RunConsole, RunNumber, RunStatus, Timestamp, console,
        run::{ATTACHED_TIMEOUT, RUN, RUNS_AT_ONCE, RUNS_KEPT},
    },
    store::{StoreError, Transaction, View, diary},
};

/// A run as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whose limits and environment; `None` is `web`, or else the first process.
    pub process: Option<ProcessName>,
    /// Another limit of memory.
    pub memory: Option<ByteSize>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Who it talks to.
    pub console: RunConsole,
    /// The job by the clock that it is of.
    pub cron: Option<CronTick>,
}

/// Why no run was begun.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotBegun {
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was released.
    #[error("{0} has no release yet")]
    NoRelease(AppName),
    /// A process has the name that stands for runs.
    #[error("the app has a process of its own called `run`")]
    NameTaken,
    /// The release has no such process.
    #[error("{release} has not {wanted}")]
    NoProcess {
        /// Which release.
        release: ReleaseVersion,
        /// What was wanted, in words.
        wanted: String,
        /// What there is.
        known: Vec<ProcessName>,
    },
    /// There are too many.
    #[error("{RUNS_AT_ONCE} runs of {0} run already")]
    TooMany(AppName),
}

/// Records a run of what serves. Control begins a detached one, its session any other.
pub fn begin(
    tx: &mut Transaction<'_>,
    app: &App,
    draft: Draft,
    by: &Actor,
    now: Timestamp,
) -> Result<Run, NotBegun> {
    let name = &app.name;
    let release = serving(tx, app)?.ok_or_else(|| NotBegun::NoRelease(name.clone()))?;
    if release.processes.contains_key(RUN) {
        return Err(NotBegun::NameTaken);
    }
    let process = process_of(&release, draft.process)?;
    let runs = by_age(tx, name)?;
    if runs.iter().filter(|run| !run.is_over()).count() >= RUNS_AT_ONCE {
        return Err(NotBegun::TooMany(name.clone()));
    }
    // The clock's own do not push out what people ran.
    let same = |run: &&Run| run.is_over() && run.cron.is_some() == draft.cron.is_some();
    let over: Vec<&Run> = runs.iter().filter(same).collect();
    for old in over.iter().take(over.len().saturating_sub(RUNS_KEPT - 1)) {
        tx.delete::<Run>(&(name.as_str().to_owned(), u64::from(old.number.0)))?;
    }
    let attached = draft.console != RunConsole::Detached;
    let mut run = Run {
        app: name.clone(),
        number: runs.last().map_or(RunNumber(1), |last| last.number.next()),
        release: release.version,
        process,
        command: draft.command,
        memory: draft.memory,
        console: draft.console,
        timeout: draft.timeout.or_else(|| attached.then_some(ATTACHED_TIMEOUT)),
        by: by.clone(),
        at: now,
        stopped_by: None,
        cron: draft.cron,
        machine: None,
        status: RunStatus::Starting,
    };
    while runs.iter().any(|other| other.number == run.number) {
        run.number = run.number.next();
    }
    tx.put(&run)?;
    if run.cron.is_none() {
        let text = format!("{} of {}: {}", run.number, run.release, console::shown(&run.command));
        diary::write(tx, name, EventKind::Session, text, by, now)?;
    }
    Ok(run)
}

/// All runs of an app, the oldest first.
pub fn by_age(view: &impl View, name: &AppName) -> Result<Vec<Run>, StoreError> {
    let mut runs = view.scan::<Run>(name.as_str())?;
    runs.sort_by_key(|run| (run.at, run.number));
    Ok(runs)
}

/// The release that serves.
pub fn serving(view: &impl View, app: &App) -> Result<Option<Release>, StoreError> {
    let Some(current) = app.current else { return Ok(None) };
    view.get::<Release>(&(app.name.as_str().to_owned(), u64::from(current.release.0)))
}

fn process_of(release: &Release, wanted: Option<ProcessName>) -> Result<ProcessName, NotBegun> {
    let known = || release.processes.keys();
    let found = match &wanted {
        Some(name) => known().find(|known| *known == name),
        None => known().find(|known| known.is_web()).or_else(|| known().next()),
    };
    found.cloned().ok_or_else(|| NotBegun::NoProcess {
        release: release.version,
        wanted: wanted.map_or_else(|| "a process".to_owned(), |name| format!("`{name}`")),
        known: known().cloned().collect(),
    })
}
