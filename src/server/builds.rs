//! Builds: list them, read what they wrote, stop one.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, Build, BuildNumber, BuildStatus},
    ops,
    server::{
        apps::{number, on_record},
        caller::Caller,
        fault::Failure,
        logs::unreadable,
        state::Api,
        view,
    },
    store::View,
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Build>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let builds = snapshot.latest::<Build>(app.name.as_str(), MOST)?;
    let waits = |build: &Build| build.status == BuildStatus::Queued;
    // Those of other apps matter only to one that waits.
    let all = if builds.iter().any(waits) { snapshot.scan::<Build>(&())? } else { Vec::new() };
    Ok(Json(builds.iter().map(|build| view::build(build, &all)).collect()))
}

pub(super) async fn cancel(
    caller: Caller,
    State(api): State<Api>,
    Path((name, build)): Path<(String, String)>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let build = BuildNumber(number(&build, "build")?);
    let change =
        api::Change { app: app.to_string(), build: Some(build.0), ..api::Change::default() };
    api.store
        .transact(move |tx| ops::cancel::cancel(tx, &app, build, &caller.actor, clock::now()))
        .await?;
    Ok(Json(change))
}

pub(super) async fn log(
    _: Caller,
    State(api): State<Api>,
    Path((name, build)): Path<(String, String)>,
) -> Result<String, Failure> {
    let app: AppName = name.parse()?;
    let build = BuildNumber(number(&build, "build")?);
    let key = (app.as_str().to_owned(), u64::from(build.0));
    if api.store.snapshot().get::<Build>(&key)?.is_none() {
        return Err(Failure::new(api::FaultCode::NotFound, format!("{app} has no build {build}"))
            .hint(format!("`paas builds -a {app}` lists what there is")));
    }
    let lines = api.logs.build(&app, build).await.map_err(|error| unreadable(&error))?;
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    Ok(text)
}

/// Builds in one answer.
const MOST: usize = 200;
