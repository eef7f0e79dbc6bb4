//! Releases: list, and go back to one.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, Release, ReleaseVersion, Rollout},
    ops::{self, Refusal},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api, view},
    store::View,
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Release>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let rollouts = snapshot.scan::<Rollout>(app.name.as_str())?;
    let mut releases = snapshot.scan::<Release>(app.name.as_str())?;
    releases.reverse();
    let last_of = |version: ReleaseVersion| {
        rollouts.iter().rev().find(|rollout| rollout.to.release == version)
    };
    let show = |release: &Release| view::release(release, last_of(release.version), &app);
    Ok(Json(releases.iter().map(show).collect()))
}

pub(super) async fn rollback(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::Rollback>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let to = match body.to {
        Some(text) => Some(text.parse::<ReleaseVersion>().map_err(|error| {
            Refusal::invalid(format!("rollback of {app}"), error.to_string())
                .hint("`paas releases` lists what there is")
        })?),
        None => None,
    };
    let (release, rollout) = api
        .store
        .transact(move |tx| ops::rollback::rollback(tx, &app, to, &caller.actor, clock::now()))
        .await?;
    Ok(Json(api::Change {
        app: shown,
        release: Some(release.to_string()),
        rollout: Some(rollout.0),
        ..Default::default()
    }))
}

pub(super) async fn rebase(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let build = api
        .store
        .transact(move |tx| ops::rebase::rebase(tx, &app, &caller.actor, clock::now()))
        .await?;
    Ok(Json(api::Change { app: shown, build: Some(build.0), ..Default::default() }))
}
