//! Queue a rebase: what serves, put onto the present run image. It takes its turn as a build does and
//! becomes a release like one.

use crate::{
    model::{Actor, App, AppName, Build, BuildNumber, ByteSize, Commit, Release, Timestamp},
    ops::{
        Refusal,
        create::existing,
        queue::{Work, queue},
    },
    store::{StoreError, Transaction, View},
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
    let (source, rebases) = (release.source, Some(current));
    let commit = commit_of(tx, &app, release.build)?;
    let work = Work { source, bytes: ByteSize(0), rebases, commit, pushed: None };
    queue(tx, app, work, by, now)
}

/// The commit that the code of a release is of: its own build's, which may be forgotten by now.
fn commit_of(
    tx: &Transaction<'_>,
    app: &App,
    build: BuildNumber,
) -> Result<Option<Commit>, StoreError> {
    let build = tx.get::<Build>(&(app.name.as_str().to_owned(), u64::from(build.0)))?;
    Ok(build.and_then(|build| build.commit))
}
