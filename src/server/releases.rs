//! Releases: list, and go back to one.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use tokio::time::timeout;

use crate::{
    clock,
    model::{AppName, Build, Release, ReleaseVersion, Rollout, RolloutNumber},
    ops::{self, Refusal, rollback::Way},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api, view},
    store::{StoreError, View},
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Release>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let rollouts = snapshot.scan::<Rollout>(app.name.as_str())?;
    let builds = snapshot.scan::<Build>(app.name.as_str())?;
    let mut releases = snapshot.scan::<Release>(app.name.as_str())?;
    releases.reverse();
    let last_of = |version: ReleaseVersion| {
        rollouts.iter().rev().find(|rollout| rollout.to.release == version)
    };
    let show = |release: &Release| {
        let built = builds.iter().find(|build| build.number == release.build);
        view::release(release, last_of(release.version), built, &app)
    };
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
    let name = app.clone();
    let way = api
        .store
        .transact(move |tx| ops::rollback::rollback(tx, &app, to, &caller.actor, clock::now()))
        .await?;
    let change = api::Change { app: shown, ..Default::default() };
    Ok(Json(match way {
        Way::Again(release, rollout) => {
            api::Change { release: Some(release.to_string()), rollout: Some(rollout.0), ..change }
        }
        Way::Back(release, rollout) => {
            until_over(&api, &name, rollout).await?;
            api::Change { release: Some(release.to_string()), ..change }
        }
    }))
}

/// Waits until a rollout has been undone, which is a moment where what served before stands by. Who
/// asked for it may go on when it is so; where it takes longer, they see it in the app's state.
pub(super) async fn until_over(
    api: &Api,
    app: &AppName,
    rollout: RolloutNumber,
) -> Result<(), Failure> {
    let key = (app.as_str().to_owned(), u64::from(rollout.0));
    let over = async {
        let mut commits = api.store.changes();
        loop {
            commits.mark_unchanged();
            let record = api.store.snapshot().get::<Rollout>(&key)?;
            if record.is_none_or(|rollout| rollout.phase.is_final()) {
                return Ok::<(), StoreError>(());
            }
            commits.changed().await.map_err(|_| StoreError::Closed)?;
        }
    };
    timeout(UNDOING, over).await.unwrap_or(Ok(()))?;
    Ok(())
}

/// How long somebody waits for what served before; starting it anew may take longer.
const UNDOING: Duration = Duration::from_secs(10);

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
