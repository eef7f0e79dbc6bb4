//! The volumes that a release names: those that are not there yet are on record with it.

use std::collections::BTreeSet;

use crate::{
    model::{
        Actor, AppName, BackupState, ByteSize, EventKind, Release, Snapshot, SnapshotNumber,
        Timestamp, Volume, VolumeName,
    },
    store::{StoreError, Transaction, View, diary},
};

/// Makes the volumes of a release that are missing, and has their sizes and backups as its manifest says.
/// One that was to vanish stays.
pub fn ensure(
    tx: &mut Transaction<'_>,
    release: &Release,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    for process in release.processes.values() {
        for (name, mounting) in &process.volumes {
            let known = tx.get::<Volume>(&key(&release.app, name))?;
            let known = known.filter(|volume| volume.destroyed_at.is_none());
            let before = match known {
                Some(volume) => volume,
                None => make(tx, &release.app, name, mounting.size, by, now)?,
            };
            let mut volume = before.clone();
            volume.size = mounting.size.or(before.size);
            let keep = mounting.keep_backups.unwrap_or_default();
            volume.backups.wanted(mounting.backup.as_ref(), keep, now);
            if volume != before {
                tx.put(&volume)?;
            }
        }
    }
    Ok(())
}

/// Makes a volume.
pub fn make(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    size: Option<ByteSize>,
    by: &Actor,
    now: Timestamp,
) -> Result<Volume, StoreError> {
    let volume = Volume {
        app: app.clone(),
        name: name.clone(),
        size,
        created_at: now,
        by: by.clone(),
        destroyed_at: None,
        last_snapshot: SnapshotNumber::default(),
        job: None,
        failure: None,
        backups: BackupState::default(),
    };
    tx.put(&volume)?;
    diary::write(tx, app, EventKind::Volume, format!("the volume {name} was made"), by, now)?;
    Ok(volume)
}

/// Forgets all volumes of an app.
pub fn forget_all(tx: &mut Transaction<'_>, app: &AppName) -> Result<(), StoreError> {
    for volume in tx.scan::<Volume>(app.as_str())? {
        forget_snapshots(tx, app, &volume.name)?;
        tx.delete::<Volume>(&key(app, &volume.name))?;
    }
    Ok(())
}

/// Forgets all snapshots of a volume.
pub fn forget_snapshots(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
) -> Result<(), StoreError> {
    for snapshot in tx.scan::<Snapshot>(&(app.as_str(), name.as_str()))? {
        tx.delete::<Snapshot>(&snapshot_key(app, name, snapshot.number))?;
    }
    Ok(())
}

/// The volumes of an app that nobody may have now.
pub fn held(view: &impl View, app: &AppName) -> Result<BTreeSet<VolumeName>, StoreError> {
    let all = view.scan::<Volume>(app.as_str())?;
    Ok(all.into_iter().filter(Volume::is_held).map(|volume| volume.name).collect())
}

/// What a snapshot is found by.
pub fn snapshot_key(
    app: &AppName,
    name: &VolumeName,
    number: SnapshotNumber,
) -> (String, String, u64) {
    (app.as_str().to_owned(), name.as_str().to_owned(), number.0.into())
}

/// What a volume is found by.
pub fn key(app: &AppName, name: &VolumeName) -> (String, String) {
    (app.as_str().to_owned(), name.as_str().to_owned())
}
