//! Stop a build: the record says so, and whoever works on it notices.

use crate::{
    model::{Actor, AppName, Build, BuildNumber, BuildStatus, EventKind, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, View, diary},
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
    let Some(mut build) = tx.get::<Build>(&key)? else {
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
            build.status = BuildStatus::Cancelled;
            build.finished_at = Some(now);
            tx.put(&build)?;
            let text = format!("build {number} cancelled");
            Ok(diary::write(tx, name, EventKind::Build, text, by, now)?)
        }
    }
}
