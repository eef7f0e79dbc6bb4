//! Queue a build of an uploaded source tree, unless what runs is already made of it.

use crate::{
    model::{
        Actor, AppName, Build, BuildNumber, ByteSize, Commit, Phase, Pushed, Queueing, Release,
        ReleaseVersion, SourceDigest, Timestamp,
    },
    ops::{
        Refusal, cancel,
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
    /// What a registry's client calls it, where one brought it.
    pub pushed: Option<Pushed>,
    /// What it means to builds of the app that have not ended.
    pub queueing: Queueing,
}

/// What it means that an upload equals the one that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The same app.
    Fixed,
    /// Nothing: the files name an image, and what has that name may be another by now.
    Open,
}

/// Queues a build, in the place of earlier ones if it is to be. The caller has put the tree where builds look for it, under `upload.digest`.
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
    let pushed = upload.pushed.clone();
    let work = Work { source, bytes: upload.bytes, rebases: None, commit, pushed };
    let number = queue(tx, app, work, by, now)?;
    match upload.queueing {
        Queueing::All => {}
        Queueing::Newest => cancel::make_way(tx, name, number, by, now)?,
    }
    Ok(Uploaded::Queued(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::BuildStatus,
        ops::create::create,
        store::{Store, StoreOptions, records},
    };

    #[tokio::test]
    async fn the_newest_ends_what_has_not_ended_of_its_app_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let told = store.transact(|tx| {
            let (by, now) = ("ci".parse::<Actor>()?, Timestamp::default());
            let shop: AppName = "shop".parse()?;
            let other: AppName = "other".parse()?;
            create(tx, &shop, &by, now)?;
            create(tx, &other, &by, now)?;
            let uploaded = |queueing| Upload {
                digest: format!("sha256:{:064x}", 1).parse().expect("a digest"),
                bytes: ByteSize(1),
                meaning: Meaning::Fixed,
                commit: None,
                pushed: None,
                queueing,
            };
            for app in [&shop, &shop, &shop, &other] {
                upload(tx, app, &uploaded(Queueing::All), &by, now)?;
            }
            let mut builds = tx.scan::<Build>("shop")?;
            builds[0].status = BuildStatus::Failed { reason: "x".into(), hint: None, code: None };
            builds[1].status = BuildStatus::Running;
            tx.put(&builds[0])?;
            tx.put(&builds[1])?;
            let newest = upload(tx, &shop, &uploaded(Queueing::Newest), &by, now)?;
            assert_eq!(newest, Uploaded::Queued(BuildNumber(4)));
            Ok::<_, Refusal>((tx.scan::<Build>("shop")?, tx.scan::<Build>("other")?))
        });
        let (shop, other) = told.await.unwrap();
        let ended: Vec<_> = shop.iter().map(|build| build.replaced_by.map(|it| it.0)).collect();
        assert_eq!(ended, [None, Some(4), Some(4), None]);
        let cancelled = |build: &&Build| build.status == BuildStatus::Cancelled;
        assert_eq!(shop.iter().filter(cancelled).count(), 2);
        assert!(matches!(shop[0].status, BuildStatus::Failed { .. }));
        assert_eq!(
            (&shop[3].status, &other[0].status),
            (&BuildStatus::Queued, &BuildStatus::Queued)
        );
    }
}
