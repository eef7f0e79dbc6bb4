//! Stop builds: the record says so, and whoever works on one notices.

use crate::{
    model::{Actor, AppName, Build, BuildNumber, BuildStatus, EventKind, Timestamp},
    ops::{Refusal, create::existing},
    store::{StoreError, Transaction, View, diary},
};

/// Cancels a build that has not ended, whatever it is at. One that was cancelled already is fine.
pub fn cancel(
    tx: &mut Transaction<'_>,
    name: &AppName,
    number: BuildNumber,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Refusal> {
    existing(tx, name)?;
    let what = format!("cancelling build {number} of {name}");
    let key = (name.as_str().to_owned(), u64::from(number.0));
    let Some(build) = tx.get::<Build>(&key)? else {
        return Err(Refusal::not_found(what, "there is no such build")
            .hint(format!("`paas builds -a {name}` lists what there is")));
    };
    match (&build.status, build.release) {
        (BuildStatus::Cancelled, _) => Ok(()),
        (BuildStatus::Succeeded(_), Some(release)) => {
            Err(Refusal::conflict(what, format!("it has ended and is {release}"))
                .hint(format!("`paas rollback -a {name}` goes back to what served before")))
        }
        (BuildStatus::Succeeded(_) | BuildStatus::Failed { .. }, _) => {
            Err(Refusal::conflict(what, "it has ended")
                .hint(format!("`paas builds -a {name}` shows how")))
        }
        (BuildStatus::Queued | BuildStatus::Running, _) => {
            Ok(stop(tx, build, format!("build {number} cancelled"), by, now)?)
        }
    }
}

/// Cancels all builds of an app that have not ended, for a newer one. A rollout goes on until the newer
/// release takes its place, as one always does.
pub(super) fn make_way(
    tx: &mut Transaction<'_>,
    name: &AppName,
    newer: BuildNumber,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let open = |build: &Build| !build.status.is_final() && build.number < newer;
    for mut build in tx.scan::<Build>(name.as_str())?.into_iter().filter(open) {
        build.replaced_by = Some(newer);
        let text = format!("build {} cancelled: build {newer} is newer", build.number);
        stop(tx, build, text, by, now)?;
    }
    Ok(())
}

fn stop(
    tx: &mut Transaction<'_>,
    mut build: Build,
    text: String,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    build.status = BuildStatus::Cancelled;
    build.finished_at = Some(now);
    tx.put(&build)?;
    diary::write(tx, &build.app, EventKind::Build, text, by, now)
}
