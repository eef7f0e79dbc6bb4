//! Jobs by the clock: list them and their history, run one at once, have one rest or go on.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{
        Actor, App, AppName, CronEntry, CronJob, CronName, CronOutcome, CronState, Timestamp,
        cron::Counting,
    },
    ops,
    server::{apps::on_record, caller::Caller, fault::Failure, runs, state::Api},
    store::{StoreError, Transaction, View, cron, running},
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::CronJob>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let release = running::serving(&snapshot, &app)?;
    let jobs = release.map(|release| *release.deploy.cron).unwrap_or_default();
    let shown: Result<Vec<_>, StoreError> =
        jobs.iter().map(|(name, job)| show(&snapshot, &app, (name, job))).collect();
    Ok(Json(shown?))
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    job: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn history(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(Wanted { job, limit }): Query<Wanted>,
) -> Result<Json<Vec<api::CronRun>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let job = job.map(|job| job.parse::<CronName>()).transpose()?;
    let limit = limit.unwrap_or(HISTORY_SHOWN).min(MOST_SHOWN);
    let entries = cron::history(&snapshot, &app.name, job.as_ref(), limit)?;
    if let Some(job) = job.filter(|_| entries.is_empty()) {
        // A name that means nothing is no empty history.
        ops::cron::find(&snapshot, &app, &job)?;
    }
    Ok(Json(entries.iter().map(show_entry).collect()))
}

pub(super) async fn run(
    caller: Caller,
    State(api): State<Api>,
    Path((name, job)): Path<(String, String)>,
) -> Result<Json<api::Run>, Failure> {
    let (app, job) = (name.parse::<AppName>()?, job.parse::<CronName>()?);
    let run = api
        .store
        .transact(move |tx| ops::cron::run(tx, &app, &job, &caller.actor, clock::now()))
        .await?;
    Ok(Json(runs::show(&run)))
}

pub(super) async fn pause(
    caller: Caller,
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
) -> Result<Json<api::CronJob>, Failure> {
    change(caller, &api, path, ops::cron::pause).await
}

pub(super) async fn resume(
    caller: Caller,
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
) -> Result<Json<api::CronJob>, Failure> {
    change(caller, &api, path, ops::cron::resume).await
}

/// What may be done to a job, which is shown as it is then.
type Change = fn(
    &mut Transaction<'_>,
    &AppName,
    &CronName,
    &Actor,
    Timestamp,
) -> Result<CronState, ops::Refusal>;

async fn change(
    caller: Caller,
    api: &Api,
    (name, job): (String, String),
    change: Change,
) -> Result<Json<api::CronJob>, Failure> {
    let (app, job) = (name.parse::<AppName>()?, job.parse::<CronName>()?);
    let state =
        api.store.transact(move |tx| change(tx, &app, &job, &caller.actor, clock::now())).await?;
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &state.app)?;
    let job = ops::cron::find(&snapshot, &app, &state.job)?;
    Ok(Json(show(&snapshot, &app, (&state.job, &job))?))
}

fn show(
    view: &impl View,
    app: &App,
    (name, job): (&CronName, &CronJob),
) -> Result<api::CronJob, StoreError> {
    let state = cron::state(view, &app.name, name)?;
    let next = next(job, &state, clock::now());
    let last = cron::history(view, &app.name, Some(name), 1)?;
    Ok(api::CronJob {
        name: name.to_string(),
        schedule: job.schedule.to_string(),
        timezone: job.timezone.to_string(),
        command: job.command.to_string(),
        overlap: job.overlap.word().to_owned(),
        timeout_ms: millis(job.timeout),
        catch_up_ms: millis(job.catch_up),
        paused_by: state.paused_by.as_ref().map(ToString::to_string),
        next: next.map(|at| at.to_string()),
        next_local: next.map(|at| job.timezone.shown(at)),
        last: last.first().map(show_entry),
    })
}

/// The next tick; one that is due and not yet dealt with is not any more.
fn next(job: &CronJob, state: &CronState, now: Timestamp) -> Option<Timestamp> {
    let Counting { seen, .. } = state.counting.as_ref().filter(|it| it.is_of(job))?;
    let after = now.max(*seen);
    job.schedule.next(after, &job.timezone).filter(|_| state.paused_by.is_none())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn show_entry(entry: &CronEntry) -> api::CronRun {
    let mut shown = api::CronRun {
        job: entry.job.to_string(),
        number: entry.number,
        state: entry.outcome.word().to_owned(),
        tick: entry.tick.map(|tick| tick.to_string()),
        at: entry.at.to_string(),
        by: entry.by.to_string(),
        run: None,
        release: None,
        began_at: None,
        ended_at: None,
        code: None,
        reason: None,
        last_lines: Vec::new(),
    };
    match &entry.outcome {
        CronOutcome::Running { run, release } => {
            (shown.run, shown.release) = (Some(run.to_string()), Some(release.to_string()));
        }
        CronOutcome::Ended { run, release, began, ended, code, reason, last_lines } => {
            (shown.run, shown.release) = (Some(run.to_string()), Some(release.to_string()));
            shown.began_at = began.map(|at| at.to_string());
            shown.ended_at = Some(ended.to_string());
            (shown.code, shown.reason) = (*code, reason.clone());
            shown.last_lines.clone_from(last_lines);
        }
        CronOutcome::Skipped { reason } => shown.reason = Some(reason.clone()),
        CronOutcome::Missed { count: 1, .. } => {
            shown.reason = Some("the daemon did not run, and it was too late".to_owned());
        }
        CronOutcome::Missed { count, until } => {
            shown.reason = Some(format!("{count} ticks until {until} went by unseen"));
        }
    }
    shown
}

/// Lines of a history, unless more are asked for.
const HISTORY_SHOWN: usize = 20;
/// The most that are shown at once.
const MOST_SHOWN: usize = 1000;
