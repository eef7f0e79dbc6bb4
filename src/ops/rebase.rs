//! Queue a rebase: what serves, put onto the present run image. It takes its turn as a build does and
//! becomes a release like one.

use crate::{
    model::{Actor, AppName, Build, BuildNumber, ByteSize, Release, Timestamp},
    ops::{
        Refusal,
        create::existing,
        queue::{Work, queue},
    },
    store::{Transaction, View},
};

/// Queues it.
pub fn rebase(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<BuildNumber, Refusal> {
    let app = existing(tx, name)?;
    let what = || format!("rebase of {name}");
    let none = || Refusal::conflict(what(), "nothing serves yet").hint("`paas deploy` begins");
    let current = app.current.ok_or_else(none)?.release;
    let key = (name.as_str().to_owned(), u64::from(current.0));
    let release = tx.get::<Release>(&key)?.ok_or_else(none)?;
    if tx.scan::<Build>(name.as_str())?.iter().any(|build| !build.status.is_final()) {
        return Err(Refusal::conflict(what(), "a build is under way, and will be upon it anyway")
            .hint(format!("`paas builds -a {name}` shows how far it is")));
    }
    let work = Work { source: release.source, bytes: ByteSize(0), rebases: Some(current) };
    queue(tx, app, work, by, now)
}
