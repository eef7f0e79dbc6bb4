//! Volumes: list, make, look at one, destroy; their snapshots.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{
        App, AppName, SnapshotNumber, Volume, VolumeName,
        size::InvalidSize,
        snapshot::{InvalidSnapshot, SnapshotCause},
    },
    ops::{self, Refusal},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api},
    store::{self, View},
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Volume>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let volumes = snapshot.scan::<Volume>(app.name.as_str())?;
    let shown = volumes.iter().map(|volume| view(&api, &snapshot, &app, volume));
    Ok(Json(shown.collect::<Result<_, _>>()?))
}

pub(super) async fn create(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::CreateVolume>,
) -> Result<Json<api::Volume>, Failure> {
    let app: AppName = name.parse()?;
    let name: VolumeName = body.name.parse()?;
    let size = body.size.as_deref().map(str::parse).transpose();
    let size = size.map_err(|error: InvalidSize| {
        Refusal::invalid(format!("volume {name} of {app}"), error.to_string())
            .hint("write it like `--size 10g`")
    })?;
    let (of, by) = (app.clone(), caller.actor);
    let volume = api
        .store
        .transact(move |tx| ops::volume::create(tx, &of, &name, size, &by, clock::now()))
        .await?;
    one(&api, &app, &volume)
}

pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
) -> Result<Json<api::Volume>, Failure> {
    let app: AppName = app.parse()?;
    let volume = ops::volume::known(&api.store.snapshot(), &app, &name.parse()?)?;
    one(&api, &app, &volume)
}

#[derive(Debug, Deserialize)]
pub(super) struct Confirmation {
    #[serde(default)]
    confirm: String,
}

pub(super) async fn destroy(
    caller: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
    Query(Confirmation { confirm }): Query<Confirmation>,
) -> Result<Json<api::Volume>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    let (of, by) = (app.clone(), caller.actor);
    let volume = api
        .store
        .transact(move |tx| ops::volume::destroy(tx, &of, &name, &confirm, &by, clock::now()))
        .await?;
    one(&api, &app, &volume)
}

pub(super) async fn snapshots(
    _: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
) -> Result<Json<Vec<api::Snapshot>>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    let stored = api.store.snapshot();
    ops::volume::known(&stored, &app, &name)?;
    let all = ops::snapshot::newest_first(&stored, &app, &name)?;
    let shown = all.iter().map(|snapshot| api::Snapshot {
        name: snapshot.number.to_string(),
        at: snapshot.at.to_string(),
        by: snapshot.by.to_string(),
        size: snapshot.size.map(|size| size.0),
        cause: match snapshot.cause {
            SnapshotCause::Asked => "asked for".to_owned(),
            SnapshotCause::Replaced { by } => format!("replaced by {by}"),
        },
    });
    Ok(Json(shown.collect()))
}

pub(super) async fn snapshot(
    caller: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
) -> Result<Json<api::Volume>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    let (of, by) = (app.clone(), caller.actor);
    let volume = api.store.transact(move |tx| ops::snapshot::snapshot(tx, &of, &name, &by)).await?;
    one(&api, &app, &volume)
}

pub(super) async fn restore(
    caller: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
    Json(body): Json<api::RestoreVolume>,
) -> Result<Json<api::Volume>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    let from: SnapshotNumber = body.snapshot.parse().map_err(|error: InvalidSnapshot| {
        Refusal::invalid(format!("volume {name} of {app} stays as it is"), error.to_string())
            .hint(format!("`paas volumes snapshots {name} -a {app}` lists them"))
    })?;
    let (of, by) = (app.clone(), caller.actor);
    let volume =
        api.store.transact(move |tx| ops::snapshot::restore(tx, &of, &name, from, &by)).await?;
    one(&api, &app, &volume)
}

fn one(api: &Api, app: &AppName, volume: &Volume) -> Result<Json<api::Volume>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, app)?;
    Ok(Json(view(api, &snapshot, &app, volume)?))
}

fn view(
    api: &Api,
    snapshot: &store::Snapshot,
    app: &App,
    volume: &Volume,
) -> Result<api::Volume, Failure> {
    let attached = ops::volume::attached(snapshot, app, &volume.name)?;
    let usage = api.volumes.borrow().get(&(app.name.clone(), volume.name.clone())).copied();
    let state = match (&volume.destroyed_at, &attached) {
        (Some(_), _) => "going",
        (None, Some(_)) => "attached",
        (None, None) => "free",
    };
    let (process, path) = match attached {
        Some((_, process, path)) => (Some(process.to_string()), Some(path.to_string())),
        None => (None, None),
    };
    Ok(api::Volume {
        name: volume.name.to_string(),
        app: app.name.to_string(),
        state: state.to_owned(),
        process,
        path,
        size: volume.size.map(|size| size.0),
        used: usage.map(|usage| usage.used.0),
        measured_at: usage.map(|usage| usage.at.to_string()),
        job: volume.job.as_ref().map(|job| job.task.words()),
        failure: volume.failure.clone(),
        created_at: volume.created_at.to_string(),
        by: volume.by.to_string(),
    })
}
