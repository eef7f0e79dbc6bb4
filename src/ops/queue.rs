//! Give an app's next build its place in the queue, with its number, its record and its event.

use crate::{
    model::{
        Actor, App, Build, BuildNumber, BuildStatus, ByteSize, Commit, EventKind, Pushed,
        ReleaseVersion, SourceDigest, Timestamp,
    },
    ops::Refusal,
    store::{Transaction, diary},
};

/// What is to be built.
pub(super) struct Work {
    pub(super) source: SourceDigest,
    pub(super) bytes: ByteSize,
    /// The release whose image is put onto another base, if that is all.
    pub(super) rebases: Option<ReleaseVersion>,
    /// What git calls the source.
    pub(super) commit: Option<Commit>,
    /// What a registry's client calls it.
    pub(super) pushed: Option<Pushed>,
}

/// Queues it.
pub(super) fn queue(
    tx: &mut Transaction<'_>,
    mut app: App,
    work: Work,
    by: &Actor,
    now: Timestamp,
) -> Result<BuildNumber, Refusal> {
    let Work { source, bytes, rebases, commit, pushed } = work;
    app.last_build = app.last_build.next();
    let number = app.last_build;
    let what = match (rebases, &commit, &pushed) {
        (Some(release), ..) => format!("rebase of {release}"),
        (None, Some(commit), _) => format!("{bytes}, commit {}", commit.called()),
        (None, None, Some(pushed)) => format!("{bytes}, pushed as {}:{}", app.name, pushed.tag),
        (None, None, None) => bytes.to_string(),
    };
    let build = Build {
        app: app.name.clone(),
        number,
        status: BuildStatus::Queued,
        source,
        source_bytes: bytes,
        by: by.clone(),
        queued_at: now,
        started_at: None,
        finished_at: None,
        interruptions: 0,
        release: None,
        rebases,
        commit,
        pushed,
        replaced_by: None,
    };
    tx.put(&build)?;
    tx.put(&app)?;
    let text = format!("build {number} queued ({what})");
    diary::write(tx, &app.name, EventKind::Build, text, by, now)?;
    Ok(number)
}
