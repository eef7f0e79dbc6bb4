//! Builds, one after another, in the order in which they were asked for.
//!
//! The record says how far a build is; what the daemon was doing when it died is begun again, a
//! few times at most. A build that succeeds makes its release and begins its rollout in the same
//! transaction, so that there is never one without the other.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    build::{
        BuildFolders, BuildLimits, BuildRequest, Builder, Progress,
        workshop::{Workshop, WorkshopError},
    },
    clock,
    control::task::Task,
    engine::BuildEngine,
    faults,
    logs::{BuildLog, LogError, Logs},
    model::{Actor, App, Artifact, Build, BuildStatus, ByteSize, EventKind, Timestamp},
    store::{
        Store, StoreError, Transaction, View, diary,
        releasing::{self, Draft},
    },
    telemetry::chain,
};

/// The task that builds.
#[derive(Debug)]
pub struct Builds<E: BuildEngine> {
    /// The records.
    pub store: Store,
    /// Docker.
    pub engine: E,
    /// What builds need.
    pub workshop: Workshop,
    /// Made of it, once that is possible.
    pub builder: Option<Builder<E>>,
    /// How far that is, for people.
    pub status: watch::Sender<String>,
    /// Where what builds write is kept.
    pub logs: Logs,
    /// Where sources wait.
    pub folders: BuildFolders,
    /// The most memory a build may use.
    pub memory: ByteSize,
    /// Moves with every commit.
    pub commits: watch::Receiver<u64>,
    /// Stops a build when the daemon ends; it begins anew with the next daemon.
    pub stop: CancellationToken,
}

/// Why builds do not go on.
#[derive(Debug, thiserror::Error)]
pub enum BuildsError {
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What builds need is not there.
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
    /// What a build writes cannot be kept.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl<E: BuildEngine> Task for Builds<E> {
    const NAME: &'static str = "builds";
    type Error = BuildsError;

    async fn wait(&mut self) {
        // An error means that the store is closed; then the daemon is about to stop this task.
        if self.commits.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn pass(&mut self) -> Result<(), BuildsError> {
        self.commits.mark_unchanged();
        if self.builder.is_none() {
            self.begin_work().await?;
        }
        while let Some(build) = self.next()? {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            self.run(build).await?;
        }
        Ok(())
    }
}

impl<E: BuildEngine> Builds<E> {
    /// Once per daemon: the builder, and what an earlier daemon left in the middle.
    async fn begin_work(&mut self) -> Result<(), BuildsError> {
        let opened = self.workshop.open(self.engine.clone(), &self.status).await;
        let builder = opened.inspect_err(|error| {
            let hint = error.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
            self.status.send_replace(format!("{}{hint}", chain(error)));
        })?;
        if let Err(error) = builder.sweep().await {
            tracing::warn!(error = %chain(&error), "builders of an earlier daemon stay");
        }
        let now = clock::now();
        self.store.transact(move |tx| resume(tx, now)).await?;
        self.builder = Some(builder);
        Ok(())
    }

    fn next(&self) -> Result<Option<Build>, StoreError> {
        let builds = self.store.snapshot().scan::<Build>(&())?;
        let queued = builds.into_iter().filter(|build| build.status == BuildStatus::Queued);
        Ok(queued.min_by(|a, b| (a.queued_at, &a.app).cmp(&(b.queued_at, &b.app))))
    }

    async fn run(&mut self, build: Build) -> Result<(), BuildsError> {
        let Some(builder) = self.builder.clone() else { return Ok(()) };
        let log = self.logs.start_build(&build.app, build.number)?;
        let (key, now) = ((build.app.clone(), build.number), clock::now());
        self.store
            .transact(move |tx| {
                change(tx, &key, |build| {
                    if build.status == BuildStatus::Queued {
                        build.status = BuildStatus::Running;
                        build.started_at = Some(now);
                    }
                })
            })
            .await?;
        faults::point("builds.started");
        let result = self.build(&builder, &build, &log).await;
        if self.stop.is_cancelled() && result.is_err() {
            // The next daemon begins it again.
            return Ok(());
        }
        self.account_for(&build, &result, &log)?;
        let (finished, now) = (build.clone(), clock::now());
        faults::point("builds.built");
        self.store.transact(move |tx| finish(tx, &finished, result, now)).await?;
        faults::point("builds.recorded");
        log.finish();
        Ok(())
    }

    /// The last lines of a build's log: why it failed, or what of paas.toml does not count.
    fn account_for(
        &self,
        build: &Build,
        result: &Result<Artifact, (String, Option<String>)>,
        log: &BuildLog,
    ) -> Result<(), StoreError> {
        match result {
            Ok(artifact) => {
                let app = self.store.snapshot().get::<App>(&build.app.as_str().to_owned())?;
                let overridden = app.map(|app| overridden(&app, artifact)).unwrap_or_default();
                if !overridden.is_empty() {
                    log.append("-----> Settings of the server that win over paas.toml");
                }
                for line in &overridden {
                    log.append(&format!("       {line}"));
                }
            }
            Err((reason, hint)) => {
                log.append(&format!(" !     {reason}"));
                if let Some(hint) = hint {
                    log.append(&format!(" !     hint: {hint}"));
                }
            }
        }
        Ok(())
    }

    async fn build(
        &self,
        builder: &Builder<E>,
        build: &Build,
        log: &BuildLog,
    ) -> Result<Artifact, (String, Option<String>)> {
        let cancel = self.stop.child_token();
        let (progress, mut news) = mpsc::channel(NEWS);
        let limits = BuildLimits { memory: self.memory, ..BuildLimits::default() };
        let building = builder.build(BuildRequest {
            app: build.app.clone(),
            number: build.number,
            source: self.folders.source(&build.app, &build.source),
            limits,
            environment: std::collections::BTreeMap::new(),
            cancel: cancel.clone(),
            progress,
        });
        let keep_log = async {
            while let Some(news) = news.recv().await {
                match news {
                    Progress::Stage(stage) => {
                        tracing::debug!(app = %build.app, stage = stage.word(), "build");
                    }
                    Progress::Line(line) => log.append(&line),
                }
            }
        };
        let watch = self.cancel_when_told(build, &cancel);
        tokio::pin!(watch);
        let both = async { tokio::join!(building, keep_log).0 };
        tokio::pin!(both);
        let result = tokio::select! {
            result = &mut both => result,
            () = &mut watch => both.await,
        };
        result.map_err(|error| (chain(&error), error.hint()))
    }

    /// Ends after it has told the build to stop, because its record says so.
    async fn cancel_when_told(&self, build: &Build, cancel: &CancellationToken) {
        let mut commits = self.store.changes();
        let key = (build.app.as_str().to_owned(), u64::from(build.number.0));
        loop {
            let there = self.store.snapshot().get::<Build>(&key);
            let cancelled = match there {
                Ok(Some(build)) => build.status == BuildStatus::Cancelled,
                Ok(None) => true,
                Err(_) => false,
            };
            if cancelled {
                cancel.cancel();
                return;
            }
            if commits.changed().await.is_err() {
                sleep(Duration::MAX).await;
            }
        }
    }
}

/// Where `paas config` and `paas scale` say something else than the manifest. Values are not shown.
fn overridden(app: &App, artifact: &Artifact) -> Vec<String> {
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
fn resume(tx: &mut Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
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
            }
        } else {
            BuildStatus::Queued
        };
        tx.put(&build)?;
    }
    Ok(())
}

/// Records how a build ended, with the release that comes of it.
pub(super) fn finish(
    tx: &mut Transaction<'_>,
    build: &Build,
    result: Result<Artifact, (String, Option<String>)>,
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
        Err((reason, hint)) => {
            let text = format!("build {} failed: {reason}", build.number);
            build.status = BuildStatus::Failed { reason, hint };
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

fn change(
    tx: &mut Transaction<'_>,
    (app, number): &(crate::model::AppName, crate::model::BuildNumber),
    how: impl FnOnce(&mut Build),
) -> Result<(), StoreError> {
    let Some(mut build) = tx.get::<Build>(&(app.as_str().to_owned(), number.0.into()))? else {
        return Ok(());
    };
    how(&mut build);
    tx.put(&build)
}

/// News of a build that wait to be written; when full, the build waits.
const NEWS: usize = 256;

/// How often a build is begun again after the daemon died in it.
const INTERRUPTIONS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        ProcessName,
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
