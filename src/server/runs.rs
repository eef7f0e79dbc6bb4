//! Runs: list, begin one that nobody talks to, end one.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, Run, RunConsole, RunNumber, RunStatus, console, manifest::duration},
    ops::{self, Refusal, run::Draft},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api},
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Run>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let runs = ops::run::by_age(&snapshot, &app.name)?;
    Ok(Json(runs.iter().rev().map(show).collect()))
}

pub(super) async fn begin(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::StartRun>,
) -> Result<Json<api::Run>, Failure> {
    let app: AppName = name.parse()?;
    let draft = draft(body, RunConsole::Detached)?;
    let run = api
        .store
        .transact(move |tx| ops::run::begin(tx, &app, draft, &caller.actor, clock::now()))
        .await?;
    Ok(Json(show(&run)))
}

pub(super) async fn stop(
    caller: Caller,
    State(api): State<Api>,
    Path((name, run)): Path<(String, String)>,
) -> Result<Json<api::Run>, Failure> {
    let app: AppName = name.parse()?;
    let number: RunNumber = run.parse().map_err(|error: crate::model::run::InvalidRun| {
        Refusal::invalid("no run was ended", error.to_string())
            .hint("`paas runs` lists what there is")
    })?;
    let run = api
        .store
        .transact(move |tx| ops::run::stop(tx, &app, number, &caller.actor, clock::now()))
        .await?;
    Ok(Json(show(&run)))
}

/// What was asked for, read.
pub(super) fn draft(asked: api::StartRun, console: RunConsole) -> Result<Draft, Failure> {
    let wrong =
        |why: String, hint: &str| Refusal::invalid("the program was not started", why).hint(hint);
    let memory = asked.memory.as_deref().map(str::parse).transpose();
    let timeout = asked.timeout.as_deref().map(|text| {
        let found = duration(text).filter(|timeout| !timeout.is_zero());
        found.ok_or_else(|| {
            wrong(format!("`{text}` is no time limit"), "write it like `--timeout 30m`")
        })
    });
    Ok(Draft {
        command: asked.command,
        process: asked.process.as_deref().map(str::parse).transpose()?,
        memory: memory.map_err(|error: crate::model::size::InvalidSize| {
            wrong(error.to_string(), "write it like `--memory 512m`")
        })?,
        timeout: timeout.transpose()?,
        console,
        cron: None,
    })
}

/// A run that is not over, among an app's instances.
pub(super) fn as_instance(run: &Run, limit: u64, node: &str) -> api::Instance {
    let started_at = match &run.status {
        RunStatus::Running { since } => Some(since.to_string()),
        RunStatus::Starting | RunStatus::Ended { .. } => None,
    };
    api::Instance {
        name: run.number.to_string(),
        node: node.to_owned(),
        release: run.release.to_string(),
        state: run.status.word().to_owned(),
        health: "-".to_owned(),
        detail: Some(console::shown(&run.command)),
        restarts: 0,
        cpu_millis: None,
        memory: None,
        memory_limit: run.memory.map_or(limit, |memory| memory.0),
        started_at,
        container: None,
        address: None,
        in_flight: 0,
    }
}

pub(super) fn show(run: &Run) -> api::Run {
    let (code, reason, ended_at) = match &run.status {
        RunStatus::Starting | RunStatus::Running { .. } => (None, None, None),
        RunStatus::Ended { at, code, reason } => (*code, reason.clone(), Some(at.to_string())),
    };
    api::Run {
        name: run.number.to_string(),
        release: run.release.to_string(),
        process: run.process.to_string(),
        command: run.command.clone(),
        detached: !run.is_attached(),
        state: run.status.word().to_owned(),
        code,
        reason,
        by: run.by.to_string(),
        at: run.at.to_string(),
        ended_at,
    }
}
