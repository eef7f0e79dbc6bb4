//! The volumes that a release names: those that are not there yet are on record with it.
//!
//! Which machine has the bytes of one is on record before there are any: its home. Another machine that leads
//! leaves it alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        Actor, AppName, BackupState, ByteSize, EventKind, Node, NodeName, Release, Snapshot,
        SnapshotNumber, Timestamp, Volume, VolumeName,
        snapshot::{Job, Task},
        volume::Away,
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
            let is_back = known.as_ref().is_some_and(|volume| volume.destroyed_at.is_some());
            let before = match known {
                Some(volume) => volume,
                None => make(tx, &release.app, name, mounting.size, by, now)?,
            };
            // The same record: the numbers of snapshots that may be there still are not given out again.
            let size = mounting.size.or(before.size);
            let mut volume = Volume { size, destroyed_at: None, ..before.clone() };
            let keep = mounting.keep_backups.unwrap_or_default();
            volume.backups.wanted(mounting.backup.as_ref(), keep, now);
            if volume != before {
                tx.put(&volume)?;
            }
            if is_back {
                let text = format!("the volume {name} is kept: {} has it", release.version);
                diary::write(tx, &release.app, EventKind::Volume, text, by, now)?;
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
        home: None,
        lost: false,
        left: BTreeSet::new(),
        size,
        created_at: now,
        by: by.clone(),
        destroyed_at: None,
        last_snapshot: SnapshotNumber::default(),
        job: None,
        frozen: BTreeSet::new(),
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

/// Where a volume is, if the machine that leads, called `here`, does not have it.
pub fn away(
    view: &impl View,
    volume: &Volume,
    here: &NodeName,
) -> Result<Option<Away>, StoreError> {
    let Some(home) = volume.home.clone().filter(|home| home != here) else { return Ok(None) };
    let is_node = |name: &NodeName| view.get::<Node>(&name.as_str().to_owned());
    Ok(if is_node(&home)?.is_some() {
        Some(Away::On(home))
    } else if volume.lost || is_node(here)?.is_some() {
        Some(Away::Lost(home))
    } else {
        // Of several that keep the records each is a node. It has them alone, and was itself called so before.
        None
    })
}

/// Where something is done to a volume: at a node, or at the machine that leads, called `here` (`None`). `Err` if it is
/// on one that was removed.
pub fn home(
    view: &impl View,
    volume: &Volume,
    here: &NodeName,
) -> Result<Result<Option<NodeName>, Away>, StoreError> {
    Ok(match away(view, volume, here)? {
        None => Ok(None),
        Some(Away::On(node)) => Ok(Some(node)),
        Some(lost @ Away::Lost(_)) => Err(lost),
    })
}

/// The volumes of an app that the machine which leads does not have, and where they are.
pub fn all_away(
    view: &impl View,
    app: &AppName,
    here: &NodeName,
) -> Result<BTreeMap<VolumeName, Away>, StoreError> {
    let mut found = BTreeMap::new();
    for volume in view.scan::<Volume>(app.as_str())? {
        if let Some(away) = away(view, &volume, here)? {
            found.insert(volume.name, away);
        }
    }
    Ok(found)
}

/// Whether one of an app's volumes is on its way to another machine, or something is left of one where it was before.
pub fn are_moving(view: &impl View, app: &AppName) -> Result<bool, StoreError> {
    let moves = |volume: &Volume| {
        let moves = |job: &Job| matches!(job.task, Task::Prepare { .. } | Task::Move { .. });
        !volume.left.is_empty() || volume.job.as_ref().is_some_and(moves)
    };
    Ok(view.scan::<Volume>(app.as_str())?.iter().any(moves))
}

/// Puts on record that this machine has the volumes that no other one has.
pub fn settle(tx: &mut Transaction<'_>, here: &NodeName) -> Result<(), StoreError> {
    for volume in tx.scan::<Volume>(&())? {
        settle_one(tx, volume, here)?;
    }
    Ok(())
}

/// Whether somebody who is to be started on a machine gets these volumes: nobody holds one, and it is their home.
/// What has none yet gets one on the machine that leads, called `here`, before there are any bytes: whichever leads
/// after it makes none of its own.
pub fn take(
    tx: &mut Transaction<'_>,
    (app, names): (&AppName, &BTreeSet<VolumeName>),
    (at, here): (Option<&NodeName>, &NodeName),
) -> Result<bool, StoreError> {
    for name in names {
        let Some(volume) = tx.get::<Volume>(&key(app, name))? else { continue };
        let is_home = match at.filter(|at| *at != here) {
            Some(at) => volume.home.as_ref() == Some(at),
            None => settle_one(tx, volume.clone(), here)?,
        };
        if volume.is_held() || !is_home {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts on record that a volume is on another machine, all of it, and that something is left where it was.
pub fn moved(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    to: &NodeName,
    here: &NodeName,
) -> Result<Volume, StoreError> {
    let from = volume.home.replace(to.clone()).unwrap_or_else(|| here.clone());
    volume.lost = false;
    volume.left.remove(to);
    volume.left.extend(Some(from).filter(|from| from != to));
    tx.put(&volume)?;
    Ok(volume)
}

/// Puts on record that a machine is removed, with the volumes that are on it.
pub fn lose(tx: &mut Transaction<'_>, name: &NodeName) -> Result<(), StoreError> {
    for volume in tx.scan::<Volume>(&())? {
        if volume.home.as_ref() == Some(name) {
            tx.put(&Volume { lost: true, ..volume })?;
        }
    }
    Ok(())
}

/// Puts on record that nothing of a volume is left on a machine.
pub fn cleared(
    tx: &mut Transaction<'_>,
    (app, name): (&AppName, &VolumeName),
    of: &NodeName,
) -> Result<(), StoreError> {
    let Some(mut volume) = tx.get::<Volume>(&key(app, name))? else { return Ok(()) };
    if volume.left.remove(of) { tx.put(&volume) } else { Ok(()) }
}

/// Whether this machine has a volume, which is on record then.
fn settle_one(
    tx: &mut Transaction<'_>,
    volume: Volume,
    here: &NodeName,
) -> Result<bool, StoreError> {
    if away(tx, &volume, here)?.is_some() {
        return Ok(false);
    }
    if volume.home.as_ref() != Some(here) {
        tx.put(&Volume { home: Some(here.clone()), ..volume })?;
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Process, ReleaseVersion, volume::Mounting},
        store::{Store, StoreOptions, records},
    };

    /// A release whose `web` has the volume `data`.
    fn release(app: &AppName) -> Release {
        let mounting = Mounting {
            path: "/data".parse().unwrap(),
            size: None,
            backup: None,
            keep_backups: None,
        };
        let mut web = Process::plain("web".parse().unwrap(), Vec::new(), String::new());
        web.volumes.insert("data".parse().unwrap(), mounting);
        let processes = [(web.name.clone(), web)].into();
        Release { processes, ..Release::example(app.clone(), ReleaseVersion(2)) }
    }

    #[tokio::test]
    async fn a_volume_is_of_the_machine_that_has_it_first_and_of_no_other_that_leads() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(folder.path(), options).unwrap();
        let done = store.transact(|tx| {
            let (shop, now): (AppName, _) = ("shop".parse().unwrap(), Timestamp::default());
            let name = |name: &str| -> NodeName { name.parse().unwrap() };
            let (first, edge) = (name("box"), name("edge-1"));
            let (data, by): (VolumeName, _) = ("data".parse().unwrap(), Actor::platform());
            let names = BTreeSet::from([data.clone()]);
            make(tx, &shop, &data, None, &by, now)?;
            let home = |tx: &Transaction<'_>| {
                tx.get::<Volume>(&key(&shop, &data)).map(|volume| volume.unwrap().home)
            };
            assert_eq!(home(tx)?, None);
            // Of a machine that is called otherwise since.
            assert!(take(tx, (&shop, &names), (None, &name("old")))?);
            settle(tx, &first)?;
            settle(tx, &first)?;
            assert_eq!(home(tx)?, Some(first.clone()));
            assert!(take(tx, (&shop, &names), (None, &first))?);
            // Several keep the records, and another one leads.
            tx.put(&Node::example("box"))?;
            tx.put(&Node::example("edge-1"))?;
            settle(tx, &edge)?;
            assert!(!take(tx, (&shop, &names), (None, &edge))?);
            assert!(take(tx, (&shop, &names), (Some(&first), &edge))?);
            assert!(!take(tx, (&shop, &names), (Some(&edge), &first))?);
            let away = all_away(tx, &shop, &edge)?;
            assert_eq!(away, [(data.clone(), Away::On(first.clone()))].into());
            assert!(all_away(tx, &shop, &first)?.is_empty());
            tx.delete::<Node>(&"box".to_owned())?;
            settle(tx, &edge)?;
            let away = all_away(tx, &shop, &edge)?;
            assert_eq!(away, [(data.clone(), Away::Lost(first.clone()))].into());
            assert_eq!(home(tx)?, Some(first));
            Ok::<_, StoreError>(())
        });
        done.await.unwrap();
    }

    #[tokio::test]
    async fn one_that_was_to_vanish_stays_with_the_numbers_of_its_snapshots() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let (app, now): (AppName, _) = ("shop".parse().unwrap(), Timestamp::default());
        let of = app.clone();
        let ensured = store.transact(move |tx| {
            let (by, name) = (Actor::platform(), "data".parse().unwrap());
            let made = make(tx, &of, &name, Some(ByteSize(7)), &by, now)?;
            tx.put(&Volume { destroyed_at: Some(now), last_snapshot: SnapshotNumber(3), ..made })?;
            ensure(tx, &release(&of), &by, now)
        });
        let ensured: Result<(), StoreError> = ensured.await;
        ensured.unwrap();
        let key = key(&app, &"data".parse().unwrap());
        let volume = store.snapshot().get::<Volume>(&key).unwrap().unwrap();
        assert_eq!((volume.destroyed_at, volume.size), (None, Some(ByteSize(7))));
        assert_eq!(volume.last_snapshot, SnapshotNumber(3));
    }
}
