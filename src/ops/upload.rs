//! Queue a build of an uploaded source tree, unless what runs is already made of it.

use crate::{
    model::{
        Actor, AppName, Build, BuildNumber, ByteSize, Commit, Phase, Release, ReleaseVersion,
        SourceDigest, Timestamp,
    },
    ops::{
        Refusal,
        create::existing,
        queue::{Work, queue},
    },
    store::{Transaction, View, releasing},
};

/// What came of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uploaded {
    /// It will be built.
    Queued(BuildNumber),
    /// That release is made of the same files already, and serves.
    Unchanged(ReleaseVersion),
}

/// A source tree that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its identity.
    pub digest: SourceDigest,
    /// Its size.
    pub bytes: ByteSize,
    /// What equal files mean.
    pub meaning: Meaning,
    /// What git calls it, where git brought it.
    pub commit: Option<Commit>,
}

/// What it means that an upload equals the one that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The same app.
    Fixed,
    /// Nothing: the files name an image, and what has that name may be another by now.
    Open,
}

/// Queues a build. The caller has put the tree where builds look for it, under `upload.digest`.
pub fn upload(
    tx: &mut Transaction<'_>,
    name: &AppName,
    upload: &Upload,
    by: &Actor,
    now: Timestamp,
) -> Result<Uploaded, Refusal> {
    let app = existing(tx, name)?;
    let settled = releasing::under_way(tx, &app)?
        // While the old instances stand by or finish, the new release serves already.
        .is_none_or(|rollout| {
            let serves = matches!(rollout.phase, Phase::Watching | Phase::Draining);
            serves && app.current == Some(rollout.to)
        });
    let idle =
        settled && tx.scan::<Build>(name.as_str())?.iter().all(|build| build.status.is_final());
    let fixed = upload.meaning == Meaning::Fixed;
    if let (true, Some(current)) = (idle && fixed, app.current) {
        let key = (name.as_str().to_owned(), u64::from(current.release.0));
        let release = tx.get::<Release>(&key)?;
        if release.is_some_and(|release| release.source == upload.digest) {
            return Ok(Uploaded::Unchanged(current.release));
        }
    }
    let (source, commit) = (upload.digest.clone(), upload.commit.clone());
    let work = Work { source, bytes: upload.bytes, rebases: None, commit };
    queue(tx, app, work, by, now).map(Uploaded::Queued)
}
