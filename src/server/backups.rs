//! Backups: make one, list them at their place, the keys that open them.

use api::FaultCode;
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::{
    backup::{BackupError, Depot, KeysError},
    clock,
    model::{AppName, Backup, BackupNumber, VolumeName},
    ops::{self, Refusal},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api, volumes},
    telemetry::chain,
};

pub(super) async fn backup(
    caller: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
) -> Result<Json<api::Volume>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    api.backups.depot.place()?;
    let (of, here, by) = (app.clone(), volumes::here(&api), caller.actor);
    let volume = api
        .store
        .transact(move |tx| ops::backup::backup(tx, &of, &name, (&here, &by), clock::now()))
        .await?;
    volumes::one(&api, &app, &volume)
}

#[derive(Debug, Deserialize)]
pub(super) struct Of {
    from: Option<String>,
}

pub(super) async fn of_volume(
    _: Caller,
    State(api): State<Api>,
    Path((app, name)): Path<(String, String)>,
    Query(Of { from }): Query<Of>,
) -> Result<Json<Vec<api::Backup>>, Failure> {
    let (app, name): (AppName, VolumeName) = (app.parse()?, name.parse()?);
    on_record(&api.store.snapshot(), &app)?;
    let of = from.map_or(Ok(app), |from| from.parse())?;
    listed(&api, move |depot| depot.list(&of, &name)).await
}

pub(super) async fn all(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<Vec<api::Backup>>, Failure> {
    listed(&api, Depot::list_all).await
}

pub(super) async fn keys(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<api::BackupKeys>, Failure> {
    let keys = asked(&api, |depot| {
        let (text, public) = (depot.keys().text()?, depot.keys().public()?);
        Ok(api::BackupKeys { text: text.to_string(), public })
    });
    Ok(Json(keys.await?))
}

pub(super) async fn import(
    _: Caller,
    State(api): State<Api>,
    Json(body): Json<api::ImportBackupKeys>,
) -> Result<Json<api::ImportedBackupKeys>, Failure> {
    let added = asked(&api, move |depot| Ok(depot.keys().import(&body.text)?)).await?;
    Ok(Json(api::ImportedBackupKeys { added }))
}

/// A backup that this server can restore from, or why there is none.
pub(super) async fn readable(
    api: &Api,
    (app, name): (&AppName, &VolumeName),
    number: BackupNumber,
) -> Result<(), Failure> {
    let (of, volume) = (app.clone(), name.clone());
    let found = asked(api, move |depot| {
        let known = depot.keys().public()?;
        Ok((depot.find(&of, &volume, number)?, known))
    });
    match found.await? {
        (Some(backup), known) if known.contains(&backup.key) => Ok(()),
        (Some(Backup { key, .. }), _) => Err(BackupError::Key { key }.into()),
        (None, _) => {
            let what = format!("volume {name} stays as it is");
            let why = format!("there is no backup {number} of {name} of {app}, or not any more");
            Err(Refusal::not_found(what, why).hint("`paas backups` lists all of them").into())
        }
    }
}

async fn listed(
    api: &Api,
    list: impl FnOnce(&Depot) -> Result<Vec<Backup>, BackupError> + Send + 'static,
) -> Result<Json<Vec<api::Backup>>, Failure> {
    let found = asked(api, move |depot| Ok((list(depot)?, depot.keys().public()?)));
    let (backups, known) = found.await?;
    let shown = backups.into_iter().map(|backup| api::Backup {
        name: backup.number.to_string(),
        app: backup.app.to_string(),
        volume: backup.volume.to_string(),
        at: backup.at.to_string(),
        by: backup.by.to_string(),
        bytes: backup.bytes.0,
        stored: backup.stored.0,
        sha256: backup.sha256,
        readable: known.contains(&backup.key),
        key: backup.key,
    });
    Ok(Json(shown.collect()))
}

/// Asks the place, or the disk, which both take their time.
async fn asked<T: Send + 'static>(
    api: &Api,
    ask: impl FnOnce(&Depot) -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Failure> {
    let depot = api.backups.depot.clone();
    let lost = |_| Failure::new(FaultCode::Internal, "the work ended early");
    Ok(spawn_blocking(move || ask(&depot)).await.map_err(lost)??)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let code = match &error {
            BackupError::Nowhere | BackupError::Key { .. } => FaultCode::Conflict,
            BackupError::Keys(KeysError::Format { .. } | KeysError::Empty) => FaultCode::Invalid,
            BackupError::Place { .. } | BackupError::Damaged { .. } => FaultCode::Unavailable,
            BackupError::Full { .. } => FaultCode::DiskFull,
            BackupError::Keys(KeysError::File { .. })
            | BackupError::Strange { .. }
            | BackupError::Entry { .. }
            | BackupError::Stopped => FaultCode::Internal,
        };
        let failure = Self::new(code, chain(&error));
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
