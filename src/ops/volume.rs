//! Make a volume before a release names it, or destroy one that none has any more.

use crate::{
    model::{
        Actor, App, AppName, ByteSize, EventKind, Incarnation, MountPath, ProcessName, Release,
        Timestamp, Volume, VolumeName,
    },
    ops::{Refusal, create::existing},
    store::{StoreError, Transaction, View, diary, releasing, volumes},
};

/// Makes a volume. One that is there gets the size, if that is said.
pub fn create(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    size: Option<ByteSize>,
    by: &Actor,
    now: Timestamp,
) -> Result<Volume, Refusal> {
    existing(tx, app)?;
    let what = || format!("volume {name} of {app}");
    if let Some(size) = size.filter(|size| *size < LEAST) {
        return Err(Refusal::invalid(what(), format!("{size} is too little"))
            .hint(format!("paas volumes create {name} --size 1g -a {app}")));
    }
    let all = tx.scan::<Volume>(app.as_str())?;
    if let Some(known) = all.iter().find(|volume| volume.name == *name) {
        if known.destroyed_at.is_some() {
            return Err(Refusal::conflict(what(), "one of that name is being destroyed")
                .hint(format!("`paas volumes -a {app}` shows when it is gone")));
        }
        let volume = Volume { size: size.or(known.size), ..known.clone() };
        tx.put(&volume)?;
        return Ok(volume);
    }
    if all.len() >= MOST {
        return Err(Refusal::conflict(what(), format!("{app} has {MOST} volumes already"))
            .hint(format!("`paas volumes -a {app}` lists them")));
    }
    Ok(volumes::make(tx, app, name, size, by, now)?)
}

/// Marks a volume to vanish, if `confirmed` repeats its name and no release that serves, or is about
/// to, has it.
pub fn destroy(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    confirmed: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<Volume, Refusal> {
    let mut volume = known(tx, app, name)?;
    let what = format!("volume {name} of {app} was not destroyed");
    if confirmed != name.as_str() {
        return Err(Refusal::invalid(what, "the confirmation does not repeat its name")
            .hint(format!("paas volumes destroy {name} -a {app} --confirm {name}")));
    }
    let record = existing(tx, app)?;
    if let Some((release, process, path)) = attached(tx, &record, name)? {
        return Err(Refusal::conflict(what, format!("{process} of {release} has it at {path}"))
            .hint(format!("take [volume.{name}] out of paas.toml and deploy first")));
    }
    if let Some(job) = &volume.job {
        let why = format!("something is under way: {}", job.task.words());
        return Err(Refusal::conflict(what, why)
            .hint(format!("`paas volumes show {name} -a {app}` says when it is over")));
    }
    if volume.destroyed_at.is_none() {
        volume.destroyed_at = Some(now);
        tx.put(&volume)?;
        let text = format!("the volume {name} is being destroyed");
        diary::write(tx, app, EventKind::Volume, text, by, now)?;
    }
    Ok(volume)
}

/// A volume on record.
pub fn known(view: &impl View, app: &AppName, name: &VolumeName) -> Result<Volume, Refusal> {
    view.get::<Volume>(&volumes::key(app, name))?.ok_or_else(|| {
        Refusal::not_found(format!("volume {name}"), format!("{app} has none of that name"))
            .hint(format!("`paas volumes -a {app}` lists them"))
    })
}

/// Who has a volume: of the release that serves, or of the one that is about to.
pub fn attached(
    view: &impl View,
    app: &App,
    name: &VolumeName,
) -> Result<Option<(String, ProcessName, MountPath)>, StoreError> {
    let next = releasing::under_way(view, app)?.map(|rollout| rollout.to);
    for Incarnation { release, .. } in app.current.into_iter().chain(next) {
        let key = (app.name.as_str().to_owned(), u64::from(release.0));
        let Some(release) = view.get::<Release>(&key)? else { continue };
        for (process, described) in release.processes {
            if let Some(mounting) = described.volumes.get(name) {
                return Ok(Some((release.version.to_string(), process, mounting.path.clone())));
            }
        }
    }
    Ok(None)
}

/// Volumes of one app.
const MOST: usize = 20;
/// Less than this is a slip of the pen.
const LEAST: ByteSize = ByteSize::mib(1);
