//! Releases: list, have one stay, and go back to one.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use tokio::time::timeout;

use crate::{
    clock,
    model::{
        App, AppName, Build, Release, ReleaseVersion, Rollout, RolloutNumber, keeping,
        release::InvalidVersion,
    },
    ops::{self, Refusal, rollback::Way},
    server::{
        apps::on_record, caller::Caller, fault::Failure, git::pinned::keep_soon, state::Api, view,
    },
    store::{Snapshot, StoreError, View},
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Release>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    Ok(Json(shown(&snapshot, &app, api.retention.releases_kept)?))
}

/// An app's releases with all that belongs to them, newest first.
fn shown(snapshot: &Snapshot, app: &App, most: usize) -> Result<Vec<api::Release>, StoreError> {
    let rollouts = snapshot.scan::<Rollout>(app.name.as_str())?;
    let builds = snapshot.scan::<Build>(app.name.as_str())?;
    let mut releases = snapshot.scan::<Release>(app.name.as_str())?;
    releases.reverse();
    let kept = keeping::kept(app, &releases, &rollouts, most);
    let show = |release: &Release| {
        let version = release.version;
        let past = view::Past {
            app,
            rollout: rollouts.iter().rev().find(|rollout| rollout.to.release == version),
            built: builds.iter().find(|build| build.number == release.build),
            kept: kept.get(&version).copied(),
        };
        view::release(release, past)
    };
    Ok(releases.iter().map(show).collect())
}

pub(super) async fn pin(
    caller: Caller,
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    Json(body): Json<api::SetPin>,
) -> Result<Json<api::Release>, Failure> {
    let (name, version) = (name.parse::<AppName>()?, known(&version, "pin")?);
    let app = api
        .store
        .transact(move |tx| {
            let wish = (version, body.note.as_deref());
            ops::pin::pin(tx, &name, wish, &caller.actor, clock::now())
        })
        .await?;
    keep_soon(&api, &app.name).await;
    one(&api, &app, version)
}

pub(super) async fn unpin(
    caller: Caller,
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<api::Release>, Failure> {
    let (name, version) = (name.parse::<AppName>()?, known(&version, "unpin")?);
    let app = api
        .store
        .transact(move |tx| ops::pin::unpin(tx, &name, version, &caller.actor, clock::now()))
        .await?;
    keep_soon(&api, &app.name).await;
    one(&api, &app, version)
}

/// The release that somebody names.
fn known(text: &str, verb: &str) -> Result<ReleaseVersion, Refusal> {
    text.parse().map_err(|error: InvalidVersion| {
        Refusal::invalid(format!("{verb} of a release"), error.to_string())
            .hint("`paas releases` lists what there is")
    })
}

fn one(api: &Api, app: &App, version: ReleaseVersion) -> Result<Json<api::Release>, Failure> {
    let mut all = shown(&api.store.snapshot(), app, api.retention.releases_kept)?.into_iter();
    let gone = || Failure::new(api::FaultCode::NotFound, format!("{version} is gone meanwhile"));
    all.find(|release| release.version == version.to_string()).map(Json).ok_or_else(gone)
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
        Some(text) => Some(known(&text, "rollback")?),
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
