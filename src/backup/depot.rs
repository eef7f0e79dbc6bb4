//! All backups of all volumes, as verbs: send one, list them, fetch one, let old ones go.
//!
//! `APP/VOLUME/b3-….tar.zst.age` has the bytes, `….json` says that there are all of them. Invariant: a
//! description is written last and removed first.

use std::{
    io::{Read, Write},
    path::Path,
    sync::Arc,
};

use super::{BackupError, BackupKeys, Watch, place::Place, receive::receive, send::send};
use crate::{
    faults,
    model::{
        Actor, AppName, Backup, BackupName, BackupNumber, BackupPlace, BackupsKept, ByteSize,
        Timestamp, VolumeName, backup::BACKUP_FORMAT,
    },
};

/// The place of backups and the keys of this server. Clones are the same.
#[derive(Debug, Clone)]
pub struct Depot {
    place: Option<Arc<Place>>,
    keys: BackupKeys,
}

/// What is to become a backup.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// Whose.
    pub app: AppName,
    /// Of which volume.
    pub volume: VolumeName,
    /// Of which moment.
    pub at: Timestamp,
    /// Who wants it.
    pub by: Actor,
    /// How many bytes there are, about.
    pub expected: ByteSize,
}

impl Depot {
    /// At that place, with the keys in that file, which is made at first use.
    pub fn open(place: Option<&BackupPlace>, keys: &Path) -> Result<Self, BackupError> {
        let place = place.map(Place::open).transpose()?.map(Arc::new);
        Ok(Self { place, keys: BackupKeys::new(keys) })
    }

    /// The keys of this server.
    pub fn keys(&self) -> &BackupKeys {
        &self.keys
    }

    /// Whether there is a place; whether it can be reached is seen when something is wanted there.
    pub fn place(&self) -> Result<(), BackupError> {
        self.at().map(drop)
    }

    /// The backups of a volume, the newest first.
    pub fn list(&self, app: &AppName, volume: &VolumeName) -> Result<Vec<Backup>, BackupError> {
        self.described(&folder(app, volume))
    }

    /// The backups of all volumes of all apps, each volume's newest first.
    pub fn list_all(&self) -> Result<Vec<Backup>, BackupError> {
        self.described("")
    }

    /// One backup, if there is such a one.
    pub fn find(
        &self,
        app: &AppName,
        volume: &VolumeName,
        number: BackupNumber,
    ) -> Result<Option<Backup>, BackupError> {
        Ok(self.list(app, volume)?.into_iter().find(|backup| backup.number == number))
    }

    /// Sends the tar that `pack` writes. One of that moment that is there already is the one; what an earlier
    /// attempt left is gone before.
    pub fn send(
        &self,
        shipment: &Shipment,
        pack: impl FnOnce(&mut dyn Write) -> Result<(), BackupError>,
        watch: Watch<'_>,
    ) -> Result<Backup, BackupError> {
        let (app, volume) = (&shipment.app, &shipment.volume);
        let (place, folder) = (self.at()?, folder(app, volume));
        let known = self.list(app, volume)?;
        if let Some(sent) = known.iter().find(|backup| backup.at == shipment.at) {
            return Ok(sent.clone());
        }
        let names = names(&place.names(&folder)?, &folder);
        let last = names.iter().map(|name| name.number).max().unwrap_or_default();
        let whole = |name: &BackupName| known.iter().any(|it| it.number == name.number);
        for left in names.iter().filter(|name| !whole(name)) {
            place.remove(&format!("{folder}{}", left.archive()))?;
        }
        let name = BackupName::new(BackupNumber(last.0.saturating_add(1)), shipment.at);
        let key = self.keys.recipient()?;
        let archive = format!("{folder}{}", name.archive());
        let sent = send((pack, shipment.expected), &key, (place, &archive), watch)?;
        faults::point("backups.sent");
        let backup = Backup {
            format: BACKUP_FORMAT,
            app: app.clone(),
            volume: volume.clone(),
            number: name.number,
            at: shipment.at,
            by: shipment.by.clone(),
            bytes: sent.bytes,
            stored: sent.stored,
            sha256: sent.sha256,
            key: key.to_string(),
        };
        describe(place, &format!("{folder}{}", name.description()), &backup)?;
        faults::point("backups.described");
        Ok(backup)
    }

    /// Has somebody `take` the tar of a backup; whether it is what was stored is known when this is over.
    pub fn fetch(
        &self,
        backup: &Backup,
        take: impl FnOnce(&mut dyn Read) -> Result<(), BackupError>,
        watch: Watch<'_>,
    ) -> Result<(), BackupError> {
        let keys = self.keys.identities()?;
        let name = BackupName::new(backup.number, backup.at);
        let name = format!("{}{}", folder(&backup.app, &backup.volume), name.archive());
        receive((self.at()?, &name), backup, &keys, take, watch)
    }

    /// Lets the oldest backups of a volume go. The numbers of those that went.
    pub fn prune(
        &self,
        app: &AppName,
        volume: &VolumeName,
        keep: BackupsKept,
    ) -> Result<Vec<BackupNumber>, BackupError> {
        let (place, folder) = (self.at()?, folder(app, volume));
        let all = self.list(app, volume)?;
        let keep = usize::try_from(keep.0.max(1)).unwrap_or(usize::MAX);
        let old: Vec<BackupName> =
            all.iter().skip(keep).map(|it| BackupName::new(it.number, it.at)).collect();
        for name in &old {
            place.remove(&format!("{folder}{}", name.description()))?;
            place.remove(&format!("{folder}{}", name.archive()))?;
        }
        Ok(old.iter().map(|name| name.number).collect())
    }

    fn described(&self, under: &str) -> Result<Vec<Backup>, BackupError> {
        let place = self.at()?;
        let mut found = Vec::new();
        for object in place.names(under)? {
            let own = object.rsplit('/').next().unwrap_or(&object);
            let Some(name) = BackupName::of(own).filter(|name| name.description() == own) else {
                continue;
            };
            let Ok(backup) = serde_json::from_slice::<Backup>(&place.read(&object)?) else {
                tracing::warn!(object, "what describes a backup cannot be read");
                continue;
            };
            // What it says of itself is believed only where it stands where it says.
            let stands = format!("{}{own}", folder(&backup.app, &backup.volume));
            let same = BackupName::new(backup.number, backup.at) == name && stands == object;
            if same && backup.format == BACKUP_FORMAT {
                found.push(backup);
            }
        }
        found.sort_by(|a, b| {
            let volumes = (&a.app, &a.volume).cmp(&(&b.app, &b.volume));
            volumes.then((b.number, b.at).cmp(&(a.number, a.at)))
        });
        Ok(found)
    }

    fn at(&self) -> Result<&Place, BackupError> {
        self.place.as_deref().ok_or(BackupError::Nowhere)
    }
}

fn describe(place: &Place, name: &str, backup: &Backup) -> Result<(), BackupError> {
    let failed = || BackupError::place("written", name);
    let text = serde_json::to_vec_pretty(backup).map_err(|error| failed()(error.into()))?;
    let mut object = place.create(name, 0)?;
    object.write_all(&text).map_err(failed())?;
    object.finish().map_err(failed())
}

fn folder(app: &AppName, volume: &VolumeName) -> String {
    format!("{app}/{volume}/")
}

/// What objects of a volume are named.
fn names(objects: &[String], folder: &str) -> Vec<BackupName> {
    let own = objects.iter().filter_map(|object| object.strip_prefix(folder));
    own.filter_map(BackupName::of).collect()
}

#[cfg(test)]
#[path = "depot_tests.rs"]
mod tests;
