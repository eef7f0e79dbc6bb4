//! What a build's records become: begun again after a crash, ended with a release or a reason. No
//! engine, no waiting.

use super::{Failure, Outcome};
use crate::{
    model::{
        Actor, App, AppName, Artifact, Build, BuildNumber, BuildStatus, EnvKey, EventKind,
        Timestamp, secret::MAX_SECRETS,
    },
    store::{
        SealingKey, Store, StoreError, Transaction, View, diary,
        releasing::{self, Draft},
        secrets,
    },
};

/// What the last daemon was building is queued again, unless that has happened too often.
pub(super) fn resume(tx: &mut Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
    for mut build in tx.scan::<Build>(&())? {
        if build.status != BuildStatus::Running {
            continue;
        }
        build.interruptions += 1;
        build.status = if build.interruptions > INTERRUPTIONS {
            build.finished_at = Some(now);
            BuildStatus::Failed {
                reason: format!(
                    "paas was stopped {} times while it was built",
                    build.interruptions
                ),
                hint: Some("see the server's own log, then deploy again".to_owned()),
                code: None,
            }
        } else {
            BuildStatus::Queued
        };
        tx.put(&build)?;
    }
    Ok(())
}

/// Records how a build ended. What is too large for a record is so whenever it is tried, and would be in
/// the way of every build after it: that is a failure of the build.
pub(super) async fn record(
    store: &Store,
    sealing: &SealingKey,
    build: &Build,
    result: Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let put = |result: Outcome| {
        let (sealing, build) = (sealing.clone(), build.clone());
        store.transact(move |tx| finish(tx, &sealing, &build, result, now))
    };
    match put(result).await {
        Err(
            error @ (StoreError::RecordTooLarge { .. } | StoreError::TransactionTooLarge { .. }),
        ) => put(Err(too_large(&error))).await,
        done => done,
    }
}

fn too_large(error: &StoreError) -> Failure {
    Failure {
        reason: format!("the app's files say more of it than is kept: {error}"),
        hint: Some(
            "shorten [env], [cron] and [http.pages] in paas.toml, or what other platforms' files \
             say: what is long belongs into a file of the app"
                .to_owned(),
        ),
        code: None,
    }
}

/// The same in one transaction, with the release that comes of it and the secrets that are made for it.
pub(in crate::control) fn finish(
    tx: &mut Transaction<'_>,
    sealing: &SealingKey,
    build: &Build,
    result: Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = build.app.as_str().to_owned();
    let record = tx.get::<Build>(&(key.clone(), build.number.0.into()))?;
    let app = tx.get::<App>(&key)?.filter(|app| app.destroyed_at.is_none());
    let (Some(mut build), Some(mut app)) = (record, app) else { return Ok(()) };
    if build.status.is_final() {
        return Ok(());
    }
    build.finished_at = Some(now);
    let platform = Actor::platform();
    match result.and_then(|artifact| with_room_for_secrets(&app, artifact)) {
        Err(Failure { reason, hint, code }) => {
            let text = format!("build {} failed: {reason}", build.number);
            build.status = BuildStatus::Failed { reason, hint, code };
            diary::write(tx, &app.name, EventKind::Build, text, &platform, now)?;
        }
        Ok(artifact) => {
            let text = format!("build {} made an image ({})", build.number, artifact.size);
            diary::write(tx, &app.name, EventKind::Build, text, &platform, now)?;
            for name in artifact.deploy.generate.iter() {
                secrets::generate(tx, sealing, &mut app, name, (&build.by, now))?;
            }
            build.status = BuildStatus::Succeeded(artifact);
            if let Some(draft) = Draft::of(&build, &app) {
                let (release, _) = releasing::release(tx, app, draft, &build.by.clone(), now)?;
                build.release = Some(release);
            }
        }
    }
    tx.put(&build)
}

/// What a build made, unless the secrets that are to be made for it are more than an app may have.
fn with_room_for_secrets(app: &App, artifact: Artifact) -> Outcome {
    let known = |name: &&EnvKey| app.secrets.contains_key(*name) || app.config.contains_key(*name);
    let missing = artifact.deploy.generate.iter().filter(|name| !known(name)).count();
    let count = app.secrets.len() + missing;
    if missing == 0 || count <= MAX_SECRETS {
        return Ok(artifact);
    }
    Err(Failure {
        reason: format!(
            "secrets of {}: they would be {count}, the limit is {MAX_SECRETS}",
            app.name
        ),
        hint: Some("`paas secrets unset NAME` removes one".to_owned()),
        code: None,
    })
}

pub(super) fn change(
    tx: &mut Transaction<'_>,
    (app, number): &(AppName, BuildNumber),
    how: impl FnOnce(&mut Build),
) -> Result<(), StoreError> {
    let Some(mut build) = tx.get::<Build>(&(app.as_str().to_owned(), number.0.into()))? else {
        return Ok(());
    };
    how(&mut build);
    tx.put(&build)
}

/// How often a build is begun again after the daemon died in it.
const INTERRUPTIONS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{ByteSize, build::DeploySettings},
        store::{StoreOptions, records},
    };

    #[tokio::test]
    async fn secrets_that_are_made_are_bounded_as_those_that_are_set() {
        let home = tempfile::tempdir().unwrap();
        let store = opened(&home);
        let sealing = SealingKey::new([7; 32]);
        let generate = |from: usize, to: usize| {
            let names = (from..to).map(|number| format!("KEY_{number}").parse().unwrap());
            let generate = Box::new(names.collect());
            artifact(DeploySettings { generate, ..DeploySettings::default() })
        };
        let ends = async |artifact| {
            let build = begun(&store).await;
            record(&store, &sealing, &build, Ok(artifact), Timestamp::default()).await.unwrap();
            let view = store.snapshot();
            let app = view.get::<App>(&"shop".to_owned()).unwrap().unwrap();
            (app.secrets.len(), view.get::<Build>(&("shop".to_owned(), 1)).unwrap().unwrap().status)
        };
        let (kept, status) = ends(generate(0, MAX_SECRETS)).await;
        assert!(matches!((kept, status), (MAX_SECRETS, BuildStatus::Succeeded(_))));
        let (kept, status) = ends(generate(1, MAX_SECRETS + 1)).await;
        let BuildStatus::Failed { reason, hint, .. } = status else { panic!("{status:?}") };
        assert_eq!(reason, "secrets of shop: they would be 101, the limit is 100");
        assert!(kept == MAX_SECRETS && hint.unwrap().contains("paas secrets unset"));
        // Of one that has them already nothing is made.
        let (_, status) = ends(generate(0, MAX_SECRETS)).await;
        assert!(matches!(status, BuildStatus::Succeeded(_)));
    }

    fn opened(home: &tempfile::TempDir) -> Store {
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        Store::open(home.path(), options).unwrap()
    }

    /// The first build of an app, begun, or begun anew.
    async fn begun(store: &Store) -> Build {
        let (shop, now): (AppName, _) = ("shop".parse().unwrap(), Timestamp::default());
        let digest = format!("sha256:{:064x}", 1);
        let build = Build {
            app: shop.clone(),
            number: BuildNumber(1),
            status: BuildStatus::Running,
            source: digest.parse().unwrap(),
            source_bytes: ByteSize(0),
            by: Actor::platform(),
            queued_at: now,
            started_at: Some(now),
            finished_at: None,
            interruptions: 0,
            release: None,
            rebases: None,
            replaced_by: None,
            commit: None,
            pushed: None,
        };
        let known = build.clone();
        let begun = store.transact(move |tx| {
            if tx.get::<App>(&shop.as_str().to_owned())?.is_none() {
                tx.put(&App::new(shop, now))?;
            }
            tx.put(&known)
        });
        let begun: Result<(), StoreError> = begun.await;
        begun.unwrap();
        build
    }

    fn artifact(deploy: DeploySettings) -> Artifact {
        let image = format!("sha256:{:064x}", 1).parse().unwrap();
        Artifact { image, size: ByteSize(0), processes: [].into(), deploy }
    }

    #[tokio::test]
    async fn what_no_record_holds_is_a_failure_of_the_build_and_in_nobodys_way() {
        let home = tempfile::tempdir().unwrap();
        let store = opened(&home);
        let build = begun(&store).await;
        let env = [("LONG".parse().unwrap(), "x".repeat(70_000))].into();
        let artifact = artifact(DeploySettings { env, ..DeploySettings::default() });
        let sealing = SealingKey::new([7; 32]);
        let now = Timestamp::default();
        record(&store, &sealing, &build, Ok(artifact), now).await.unwrap();
        let status =
            store.snapshot().get::<Build>(&("shop".to_owned(), 1)).unwrap().unwrap().status;
        let BuildStatus::Failed { reason, hint, .. } = status else { panic!("{status:?}") };
        assert!(reason.contains("is too large: 70") && hint.is_some(), "{reason}");
    }
}
