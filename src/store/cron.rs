//! The records of jobs by the clock: a tick and its run in one transaction, and the history.
//!
//! Invariant: whatever counts a tick as dealt with writes in the same transaction what became of it, so
//! that a crash leaves both or neither.

use std::time::Duration;

use crate::{
    model::{
        Actor, App, AppName, CronEntry, CronJob, CronName, CronOutcome, CronState, CronTick,
        EventKind, Overlap, Release, Run, RunConsole, RunStatus, Timestamp, cron::HISTORY_KEPT,
    },
    store::{
        StoreError, Transaction, View, diary,
        running::{self, NotBegun},
    },
};

/// What became of the wish to run a job.
#[derive(Debug, Clone)]
pub enum Fired {
    /// A run is to begin.
    Begun(Box<Run>),
    /// None is, and this is why; nothing was written.
    Refused(NotBegun),
    /// None is, because this one goes on.
    Overlaps(Box<Run>),
}

/// What is remembered of a job.
pub fn state(view: &impl View, app: &AppName, job: &CronName) -> Result<CronState, StoreError> {
    let key = (app.as_str().to_owned(), job.as_str().to_owned());
    Ok(view.get(&key)?.unwrap_or_else(|| CronState::new(app.clone(), job.clone())))
}

/// Begins a run of a job, for a tick or at somebody's wish, as its overlap allows, and writes it into
/// the history. The caller stores `state`.
pub fn fire(
    tx: &mut Transaction<'_>,
    (app, state): (&App, &mut CronState),
    job: &CronJob,
    tick: Option<Timestamp>,
    (by, now): (&Actor, Timestamp),
) -> Result<Fired, StoreError> {
    let runs = running::by_age(tx, &app.name)?.into_iter();
    let mut active = runs.filter(|run| run.is_of(&state.job) && !run.is_over());
    let replaced: Vec<Run> = match job.overlap {
        Overlap::Allow => Vec::new(),
        Overlap::Forbid => match active.next() {
            Some(earlier) => return Ok(Fired::Overlaps(Box::new(earlier))),
            None => Vec::new(),
        },
        Overlap::Replace => active.collect(),
    };
    let entry = state.last_entry + 1;
    let draft = running::Draft {
        command: job.command.words(),
        process: job.process.clone(),
        memory: job.memory,
        timeout: Some(job.timeout),
        console: RunConsole::Detached,
        cron: Some(CronTick { job: state.job.clone(), entry, tick }),
    };
    let run = match running::begin(tx, app, draft, by, now) {
        Ok(run) => run,
        Err(NotBegun::Store(error)) => return Err(error),
        Err(why) => return Ok(Fired::Refused(why)),
    };
    // Nobody ends for one that does not begin.
    for mut earlier in replaced {
        earlier.stopped_by.get_or_insert_with(|| by.clone());
        tx.put(&earlier)?;
    }
    state.last_tick = tick.or(state.last_tick);
    let outcome = CronOutcome::Running { run: run.number, release: run.release };
    note(tx, state, tick, outcome, (by, now))?;
    Ok(Fired::Begun(Box::new(run)))
}

/// Adds to a job's history; the oldest goes. The caller stores `state`.
pub fn note(
    tx: &mut Transaction<'_>,
    state: &mut CronState,
    tick: Option<Timestamp>,
    outcome: CronOutcome,
    (by, at): (&Actor, Timestamp),
) -> Result<(), StoreError> {
    state.last_entry += 1;
    let (app, job, number) = (state.app.clone(), state.job.clone(), state.last_entry);
    if let Some(surplus) = number.checked_sub(HISTORY_KEPT) {
        tx.delete::<CronEntry>(&key(&app, &job, surplus))?;
    }
    tx.put(&CronEntry { app, job, number, tick, at, by: by.clone(), outcome })
}

/// Tells people that a job went wrong, unless they were told within the hour. The caller stores `state`.
pub fn alert(
    tx: &mut Transaction<'_>,
    state: &mut CronState,
    what: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let lately = |at: Timestamp| at <= now && now.since(at) < BETWEEN_ALERTS;
    if state.alerted_at.is_some_and(lately) {
        return Ok(());
    }
    (state.alerted_at, state.trouble_told) = (Some(now), true);
    let text = format!("cron {}: {what}", state.job);
    diary::write(tx, &state.app, EventKind::Alert, text, &Actor::platform(), now)
}

/// Writes into the history how a run of a job ended, and tells people if it went wrong, or goes well
/// again. A run that somebody asked to end did not go wrong.
pub fn ended(
    tx: &mut Transaction<'_>,
    run: &Run,
    status: &RunStatus,
    last_lines: Vec<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (Some(cron), RunStatus::Ended { at, code, reason }) = (&run.cron, status) else {
        return Ok(());
    };
    let mut state = state(tx, &run.app, &cron.job)?;
    let began = match run.status {
        RunStatus::Running { since } => Some(since),
        RunStatus::Starting | RunStatus::Ended { .. } => None,
    };
    let late = began.zip(run.timeout).filter(|(since, timeout)| at.since(*since) >= *timeout);
    let reason = match (reason, &run.stopped_by, late) {
        (Some(reason), _, _) => Some(reason.clone()),
        (None, Some(by), _) if *by == Actor::platform() => Some("a newer run took over".to_owned()),
        (None, Some(by), _) => Some(format!("{by} ended it")),
        (None, None, Some((_, timeout))) => Some(format!("it took longer than {timeout:?}")),
        (None, None, None) => None,
    };
    if *code == Some(0) {
        if std::mem::take(&mut state.trouble_told) {
            let text = format!("cron {} goes well again: {}", cron.job, run.number);
            diary::write(tx, &run.app, EventKind::Cron, text, &Actor::platform(), now)?;
        }
    } else if run.stopped_by.is_none() {
        let code = code.map_or_else(String::new, |code| format!(" with code {code}"));
        let because = reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
        let last = last_lines.last().map_or_else(String::new, |line| format!("; it said: {line}"));
        alert(tx, &mut state, &format!("{} ended{code}{because}{last}", run.number), now)?;
    }
    tx.put(&state)?;
    let key = key(&run.app, &cron.job, cron.entry);
    // A history is short; a long run's line may be gone.
    let Some(mut entry) = tx.get::<CronEntry>(&key)? else { return Ok(()) };
    let (code, ended) = (*code, *at);
    let (run, release) = (run.number, run.release);
    entry.outcome = CronOutcome::Ended { run, release, began, ended, code, reason, last_lines };
    tx.put(&entry)
}

/// The newest lines of a job's history, or of all jobs of an app, the newest first.
pub fn history(
    view: &impl View,
    app: &AppName,
    job: Option<&CronName>,
    limit: usize,
) -> Result<Vec<CronEntry>, StoreError> {
    if let Some(job) = job {
        return view.latest::<CronEntry>(&(app.as_str(), job.as_str()), limit);
    }
    let mut entries = view.scan::<CronEntry>(app.as_str())?;
    entries.sort_by(|a, b| (b.at, b.number, &b.job).cmp(&(a.at, a.number, &a.job)));
    entries.truncate(limit);
    Ok(entries)
}

/// Drops what is remembered of jobs that no release on record declares: nothing brings them back.
pub fn forget_unknown(tx: &mut Transaction<'_>, app: &AppName) -> Result<(), StoreError> {
    let releases = tx.scan::<Release>(app.as_str())?;
    let known = |job: &CronName| releases.iter().any(|it| it.deploy.cron.contains_key(job));
    for state in tx.scan::<CronState>(app.as_str())? {
        if state.counting.is_none() && !known(&state.job) {
            forget(tx, &state)?;
        }
    }
    Ok(())
}

/// Drops what is remembered of a job.
fn forget(tx: &mut Transaction<'_>, state: &CronState) -> Result<(), StoreError> {
    for entry in tx.scan::<CronEntry>(&(state.app.as_str(), state.job.as_str()))? {
        tx.delete::<CronEntry>(&key(&state.app, &state.job, entry.number))?;
    }
    tx.delete::<CronState>(&(state.app.as_str().to_owned(), state.job.as_str().to_owned()))
}

/// Drops what is remembered of all jobs of an app.
pub fn forget_all(tx: &mut Transaction<'_>, app: &AppName) -> Result<(), StoreError> {
    for state in tx.scan::<CronState>(app.as_str())? {
        forget(tx, &state)?;
    }
    Ok(())
}

fn key(app: &AppName, job: &CronName, number: u64) -> (String, String, u64) {
    (app.as_str().to_owned(), job.as_str().to_owned(), number)
}

/// Between two alerts of one job: one that fails every minute is told of once an hour.
const BETWEEN_ALERTS: Duration = Duration::from_hours(1);
