//! What a build's records become: begun again after a crash, ended with a release or a reason. No
//! engine, no waiting.

use super::{Failure, Outcome};
use crate::{
    model::{Actor, App, AppName, Build, BuildNumber, BuildStatus, EventKind, Timestamp},
    store::{
        SealingKey, StoreError, Transaction, View, diary,
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

/// Records how a build ended, with the release that comes of it and the secrets that are made for it.
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
    match result {
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
