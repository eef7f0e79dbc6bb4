//! Have a snapshot of a volume made, or have one, or a backup, take the place of what is in it. Control
//! does it.

use crate::{
    model::{
        Actor, AppName, Node, NodeName, RestoreSource, Snapshot, Timestamp, Volume, VolumeName,
        snapshot::{Job, Task},
    },
    ops::{
        Refusal,
        create::existing,
        volume::{known, not_lost},
    },
    store::{Transaction, View, releasing, volumes},
};

/// Asks for a snapshot.
pub fn snapshot(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    (here, by): (&NodeName, &Actor),
) -> Result<Volume, Refusal> {
    let mut volume = idle(tx, (app, name), here)?;
    no_deploy(tx, app, name)?;
    volume.last_snapshot = volume.last_snapshot.next();
    let task = Task::Snapshot { number: volume.last_snapshot };
    begin(tx, volume, task, by)
}

/// Asks for a snapshot or a backup to take the place of what is in the volume, which becomes a snapshot.
/// Whether there is such a backup only its place knows: whoever asks has looked there.
pub fn restore(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    from: RestoreSource,
    (here, by): (&NodeName, &Actor),
) -> Result<Volume, Refusal> {
    let mut volume = idle(tx, (app, name), here)?;
    if let RestoreSource::Snapshot(from) = from
        && tx.get::<Snapshot>(&volumes::snapshot_key(app, name, from))?.is_none()
    {
        return Err(Refusal::not_found(
            format!("volume {name} of {app} stays as it is"),
            format!("there is no snapshot {from}, or not any more"),
        )
        .hint(format!("`paas volumes snapshots {name} -a {app}` lists them")));
    }
    no_deploy(tx, app, name)?;
    volume.last_snapshot = volume.last_snapshot.next();
    let task = Task::Fetch { from, kept: volume.last_snapshot };
    begin(tx, volume, task, by)
}

/// Asks for a volume to go to another machine, with its snapshots.
pub fn relocate(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    to: &NodeName,
    (here, by): (&NodeName, &Actor),
    now: Timestamp,
) -> Result<Volume, Refusal> {
    let volume = idle(tx, (app, name), here)?;
    let what = || format!("volume {name} of {app} stays where it is");
    if to != here && tx.get::<Node>(&to.as_str().to_owned())?.is_none() {
        return Err(Refusal::not_found(what(), format!("no machine is called {to}"))
            .hint("`paas nodes` lists them"));
    }
    if volume.home.as_ref().unwrap_or(here) == to {
        return Err(Refusal::conflict(what(), format!("it is on {to} already"))
            .hint(format!("`paas volumes show {name} -a {app}` shows where it is")));
    }
    if volume.left.contains(to) {
        let why = format!("what an earlier move has left on {to} is still being removed there");
        return Err(Refusal::conflict(what(), why).hint("ask again in a moment"));
    }
    no_deploy(tx, app, name)?;
    begin(tx, volume, Task::Prepare { to: to.clone(), since: now }, by)
}

/// All snapshots of a volume, the newest first.
pub fn newest_first(
    view: &impl View,
    app: &AppName,
    name: &VolumeName,
) -> Result<Vec<Snapshot>, Refusal> {
    let mut all = view.scan::<Snapshot>(&(app.as_str(), name.as_str()))?;
    all.reverse();
    Ok(all)
}

/// A volume that nothing is done to, and that something can be done to.
pub(super) fn idle(
    tx: &Transaction<'_>,
    (app, name): (&AppName, &VolumeName),
    here: &NodeName,
) -> Result<Volume, Refusal> {
    existing(tx, app)?;
    let volume = known(tx, app, name)?;
    not_lost(tx, &volume, here, "stays as it is")?;
    let busy = match (&volume.job, volume.destroyed_at) {
        (Some(job), _) => job.task.words(),
        (None, Some(_)) => "destroying it".to_owned(),
        (None, None) => return Ok(volume),
    };
    let why = format!("something is under way: {busy}");
    Err(Refusal::conflict(format!("volume {name} of {app} stays as it is"), why)
        .hint(format!("`paas volumes show {name} -a {app}` says when it is over")))
}

/// Nothing that has its instances stand still, or end, goes together with a deploy: that waits for them.
pub(super) fn no_deploy(
    tx: &Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
) -> Result<(), Refusal> {
    if releasing::under_way(tx, &existing(tx, app)?)?.is_none() {
        return Ok(());
    }
    let what = format!("volume {name} of {app} stays as it is");
    Err(Refusal::conflict(what, "a deploy is under way")
        .hint(format!("wait for it, or end it: `paas deploys abort -a {app}`")))
}

fn begin(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    task: Task,
    by: &Actor,
) -> Result<Volume, Refusal> {
    volume.job = Some(Job { task, by: by.clone() });
    volume.failure = None;
    tx.put(&volume)?;
    Ok(volume)
}
