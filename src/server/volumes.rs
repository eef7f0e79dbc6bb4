//! Volumes: list, make, look at one, destroy; their snapshots.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{
        App, AppName, BackupNumber, NodeName, RestoreSource, SnapshotNumber, Volume, VolumeName,
        size::InvalidSize, snapshot::SnapshotCause, volume::Away,
    },
    ops::{self, Refusal},
    server::{apps::on_record, backups::readable, caller::Caller, fault::Failure, state::Api},
    store::{self, Transaction, View, volumes},
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
    let (of, here, by) = (app.clone(), here(&api), caller.actor);
    let volume = api
        .store
        .transact(move |tx| ops::volume::create(tx, &of, &name, size, (&here, &by), clock::now()))
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
    let (of, here, by) = (app.clone(), here(&api), caller.actor);
    let destroy = move |tx: &mut Transaction<'_>| {
        ops::volume::destroy(tx, &of, &name, &confirm, (&here, &by), clock::now())
    };
    let volume = api.store.transact(destroy).await?;
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
        cause: match &snapshot.cause {
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
    let (of, here, by) = (app.clone(), here(&api), caller.actor);
    let volume =
        api.store.transact(move |tx| ops::snapshot::snapshot(tx, &of, &name, (&here, &by))).await?;
    one(&api, &app, &volume)
}

pub(super) async fn restore(
    caller: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
    Json(body): Json<api::RestoreVolume>,
) -> Result<Json<api::Volume>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    let from = source(&app, &name, &body)?;
    if let RestoreSource::Backup { backup, of } = &from {
        readable(&api, (of.as_ref().unwrap_or(&app), &name), *backup).await?;
    }
    let (of, here, by) = (app.clone(), here(&api), caller.actor);
    let volume = api
        .store
        .transact(move |tx| ops::snapshot::restore(tx, &of, &name, from, (&here, &by)))
        .await?;
    one(&api, &app, &volume)
}

pub(super) async fn relocate(
    caller: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
    Json(body): Json<api::MoveVolume>,
) -> Result<Json<api::Volume>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    let to: NodeName = body.to.parse()?;
    let (of, here, by) = (app.clone(), here(&api), caller.actor);
    let volume = api
        .store
        .transact(move |tx| {
            ops::snapshot::relocate(tx, &of, &name, &to, (&here, &by), clock::now())
        })
        .await?;
    one(&api, &app, &volume)
}

/// `s3`, or `b3`, which may be another app's.
fn source(
    app: &AppName,
    name: &VolumeName,
    body: &api::RestoreVolume,
) -> Result<RestoreSource, Failure> {
    let of = body.from_app.as_deref().map(str::parse::<AppName>).transpose()?;
    if let Ok(backup) = body.snapshot.parse::<BackupNumber>() {
        return Ok(RestoreSource::Backup { backup, of: of.filter(|of| of != app) });
    }
    let refused =
        |why: String| Refusal::invalid(format!("volume {name} of {app} stays as it is"), why);
    let number = body.snapshot.parse::<SnapshotNumber>().map_err(|_| {
        let what = body.snapshot.chars().take(40).collect::<String>();
        refused(format!("`{what}` is neither a snapshot such as `s3` nor a backup such as `b3`"))
            .hint(format!("`paas volumes snapshots {name} -a {app}` lists them"))
    })?;
    if of.is_some() {
        return Err(refused("another app's snapshots are on its own disk".to_owned())
            .hint(format!("`paas backups` lists what {name} can be restored from"))
            .into());
    }
    Ok(RestoreSource::Snapshot(number))
}

/// What this machine is called, which leads.
pub(super) fn here(api: &Api) -> NodeName {
    NodeName::of_machine(&api.node)
}

pub(super) fn one(api: &Api, app: &AppName, volume: &Volume) -> Result<Json<api::Volume>, Failure> {
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
    let away = volumes::away(snapshot, volume, &here(api))?;
    let elsewhere = away.is_some();
    let lost = away.filter(|away| matches!(away, Away::Lost(_)));
    let (process, path) = match attached {
        Some((_, process, path)) => (Some(process.to_string()), Some(path.to_string())),
        None => (None, None),
    };
    Ok(api::Volume {
        name: volume.name.to_string(),
        app: app.name.to_string(),
        state: state.to_owned(),
        node: volume.home.as_ref().map(ToString::to_string),
        elsewhere,
        away: lost.map(|away| format!("it is {away}")),
        process,
        path,
        size: volume.size.map(|size| size.0),
        used: usage.map(|usage| usage.used.0),
        measured_at: usage.map(|usage| usage.at.to_string()),
        job: volume.job.as_ref().map(|job| job.task.words() + &progress(api, volume)),
        failure: volume.failure.clone(),
        backup: volume.backups.schedule.as_ref().map(ToString::to_string),
        keep_backups: volume.backups.keep.0,
        last_backup: volume.backups.last.as_ref().map(|last| api::LastBackup {
            at: last.at.to_string(),
            name: last.result.as_ref().ok().map(ToString::to_string),
            failure: last.result.as_ref().err().cloned(),
        }),
        created_at: volume.created_at.to_string(),
        by: volume.by.to_string(),
    })
}

/// How far a transfer of the volume is, if it is the one that is under way.
fn progress(api: &Api, volume: &Volume) -> String {
    match &*api.backups.transfers.borrow() {
        Some(at) if (&at.app, &at.volume) == (&volume.app, &volume.name) => match at.of {
            Some(of) => format!(": {} of about {of}", at.done),
            None => format!(": {}", at.done),
        },
        Some(_) | None => String::new(),
    }
}
