//! What a build's records become: begun again after a crash, ended with a release or a reason, and
//! what of the manifest does not count. No engine, no waiting.

use super::{Failure, Outcome};
use crate::{
    model::{Actor, App, AppName, Artifact, Build, BuildNumber, BuildStatus, EventKind, Timestamp},
    store::{
        StoreError, Transaction, View, diary,
        releasing::{self, Draft},
    },
};

/// Where `paas config` and `paas scale` say something else than the manifest. Values are not shown.
pub(super) fn overridden(app: &App, artifact: &Artifact) -> Vec<String> {
    let config = artifact.deploy.env.iter().filter_map(|(key, value)| {
        let set = app.config.get(key)?;
        (set != value).then(|| format!("{key} is what `paas config set` says"))
    });
    let scale = artifact.processes.values().filter_map(|process| {
        let count = *app.formation.get(&process.name)?;
        (count != process.scale)
            .then(|| format!("{}={count} by `paas scale`, not {}", process.name, process.scale))
    });
    config.chain(scale).collect()
}

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

/// Records how a build ended, with the release that comes of it.
pub(in crate::control) fn finish(
    tx: &mut Transaction<'_>,
    build: &Build,
    result: Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = build.app.as_str().to_owned();
    let record = tx.get::<Build>(&(key.clone(), build.number.0.into()))?;
    let app = tx.get::<App>(&key)?.filter(|app| app.destroyed_at.is_none());
    let (Some(mut build), Some(app)) = (record, app) else { return Ok(()) };
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
            build.status = BuildStatus::Succeeded(artifact);
            if let Some(draft) = Draft::of(&build, app.config.clone()) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{
        ByteSize, ProcessName,
        build::DeploySettings,
        process::{HealthCheck, Limits, Process},
    };

    #[test]
    fn only_what_differs_from_the_manifest_is_told_and_never_a_value() {
        let web: ProcessName = "web".parse().unwrap();
        let process = Process {
            name: web.clone(),
            entrypoint: Vec::new(),
            command: String::new(),
            port: Some(8080),
            scale: 2,
            health: HealthCheck::default(),
            stop_timeout: Duration::ZERO,
            limits: Limits::default(),
            privileges: crate::model::Privileges::Plain,
        };
        let value = |text: &str| text.to_owned();
        let env = [("SAME", "a"), ("OTHER", "b"), ("ONLY_HERE", "c")];
        let artifact = Artifact {
            image: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
            size: ByteSize(0),
            processes: [(web.clone(), process)].into(),
            deploy: DeploySettings {
                env: env.map(|(key, text)| (key.parse().unwrap(), value(text))).into(),
                ..DeploySettings::default()
            },
        };
        let mut app = App::new("shop".parse().unwrap(), Timestamp::default());
        assert!(overridden(&app, &artifact).is_empty());
        app.config = [("SAME", "a"), ("OTHER", "secret")]
            .map(|(key, text)| (key.parse().unwrap(), value(text)))
            .into();
        app.formation.insert(web, 3);
        let told = overridden(&app, &artifact);
        assert_eq!(told, ["OTHER is what `paas config set` says", "web=3 by `paas scale`, not 2"]);
    }
}
