//! Builds, in the order in which they were asked for, so many at a time as the settings say, and of
//! one app one after another.
//!
//! The record says how far a build is; what the daemon was doing when it died is begun again, a
//! few times at most. A build that succeeds makes its release and begins its rollout in the same
//! transaction, so that there is never one without the other.

mod records;
mod tidy;
mod unrecorded;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
#[cfg(test)]
pub(super) use records::finish;
use records::{change, resume};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
pub use unrecorded::{Failure, Outcome, Unrecorded};

use crate::{
    build::{
        BuildError, BuildFolders, BuildLimits, BuildRequest, Builder, Kept, KeptLimits, Progress,
        RebaseError, Stopwatch,
        workshop::{Workshop, WorkshopError},
    },
    clock,
    control::{apps::vault::Vault, task::Task},
    engine::BuildEngine,
    faults,
    logs::{BuildLog, LogError, Logs},
    model::{
        App, AppName, Artifact, Build, BuildStatus, ByteSize, OpenSecrets, Release, Volume,
        VolumeName, volume::Mounting,
    },
    store::{Store, StoreError, View},
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
    /// Who opens secrets, and has the logs hide them.
    pub vault: Vault,
    /// Where sources wait.
    pub folders: BuildFolders,
    /// What a build may use, where `paas.toml` does not say otherwise.
    pub limits: BuildLimits,
    /// What builds may keep for later ones.
    pub keep: KeptLimits,
    /// What they keep, once that was looked at.
    pub kept: watch::Sender<Option<Kept>>,
    /// Builds that have ended and could not be recorded, for instance on a full disk.
    pub unrecorded: Unrecorded,
    /// When that was; at first never.
    pub tidied: Option<Instant>,
    /// Builds at the same time.
    pub at_once: usize,
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
        tokio::select! {
            changed = self.commits.changed() => if changed.is_err() {
                // The store is closed; the daemon is about to stop this task.
                std::future::pending::<()>().await;
            },
            () = sleep(TIDY) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), BuildsError> {
        self.commits.mark_unchanged();
        if self.builder.is_none() {
            self.begin_work().await?;
        }
        self.record_ended().await?;
        let drained = self.drain_queue().await;
        self.tidy_if_due().await;
        drained
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

    /// No build container waits for an app that is destroyed. Nobody waits for its end, for builds
    /// may be running.
    fn dismiss_idle(&self) -> Result<(), StoreError> {
        let Some(builder) = self.builder.as_ref().filter(|it| it.is_anybody_resting()) else {
            return Ok(());
        };
        let apps = self.store.snapshot().scan::<App>(&())?;
        let alive = apps.into_iter().filter(|app| app.destroyed_at.is_none());
        let alive: BTreeSet<AppName> = alive.map(|app| app.name).collect();
        let builder = builder.clone();
        tokio::spawn(async move { builder.dismiss(|app| alive.contains(app)).await });
        Ok(())
    }

    /// Builds until nothing waits. A fault lets nothing new begin; what runs is brought to its end.
    async fn drain_queue(&self) -> Result<(), BuildsError> {
        let mut commits = self.commits.clone();
        let mut running = FuturesUnordered::new();
        let mut busy = BTreeSet::new();
        let mut outcome = Ok(());
        loop {
            commits.mark_unchanged();
            self.dismiss_idle()?;
            while outcome.is_ok() && running.len() < self.at_once && !self.stop.is_cancelled() {
                match self.next(&busy) {
                    Ok(Some(build)) => {
                        let (app, others) = (build.app.clone(), busy.clone());
                        busy.insert(app.clone());
                        running.push(async move { (app, self.run(build, &others).await) });
                    }
                    Ok(None) => break,
                    Err(error) => outcome = Err(error.into()),
                }
            }
            tokio::select! {
                ended = running.next() => {
                    let Some((app, result)) = ended else { return outcome };
                    busy.remove(&app);
                    outcome = outcome.and(result);
                }
                Ok(()) = commits.changed() => {}
            }
        }
    }

    /// The first that waits, of an app none of whose builds runs.
    fn next(&self, busy: &BTreeSet<AppName>) -> Result<Option<Build>, StoreError> {
        let builds = self.store.snapshot().scan::<Build>(&())?;
        let queued = builds
            .into_iter()
            .filter(|build| build.status == BuildStatus::Queued && !busy.contains(&build.app));
        Ok(queued.min_by(|a, b| a.turn().cmp(&b.turn())))
    }

    async fn run(&self, build: Build, others: &BTreeSet<AppName>) -> Result<(), BuildsError> {
        let Some(builder) = self.builder.clone() else { return Ok(()) };
        self.vault.mask()?;
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
        let result = if self.has_room(others).await {
            self.build(&builder, &build, &log).await
        } else {
            let (free, reserve) = (ByteSize(self.folders.free()), self.keep.reserve);
            let error = BuildError::DiskLow { free, reserve };
            Err(error.into())
        };
        if self.stop.is_cancelled() && result.is_err() {
            // The next daemon begins it again.
            return Ok(());
        }
        self.account_for(&build, &result, &log)?;
        faults::point("builds.built");
        let recorded = self.record(&build, result.clone()).await;
        faults::point("builds.recorded");
        log.finish();
        self.tidy_app(&build.app).await;
        if recorded.is_err() {
            self.unrecorded.push(build, result);
        }
        Ok(recorded?)
    }

    /// Records what an earlier pass could not.
    async fn record_ended(&self) -> Result<(), StoreError> {
        while let Some((build, outcome)) = self.unrecorded.first() {
            self.record(&build, outcome).await?;
            self.unrecorded.forget_first();
        }
        Ok(())
    }

    async fn record(&self, build: &Build, outcome: Outcome) -> Result<(), StoreError> {
        records::record(&self.store, &self.vault.sealing(), build, outcome, clock::now()).await
    }

    /// The last lines of a build's log: why it failed, or what of paas.toml does not count.
    fn account_for(
        &self,
        build: &Build,
        result: &Outcome,
        log: &BuildLog,
    ) -> Result<(), StoreError> {
        match result {
            Ok(artifact) => {
                let app = self.store.snapshot().get::<App>(&build.app.as_str().to_owned())?;
                let overrides =
                    app.map(|app| app.overrides(&artifact.processes, &artifact.deploy.env));
                let overridden = overrides.unwrap_or_default();
                if !overridden.is_empty() {
                    log.append("-----> Settings of the server that win over paas.toml");
                }
                for line in &overridden {
                    log.append(&format!("       {line}"));
                }
                self.announce_volumes(&build.app, artifact, log)?;
            }
            Err(Failure { reason, hint, code }) => {
                log.append(&format!(" !     {reason}"));
                if let Some(hint) = hint {
                    log.append(&format!(" !     hint: {hint}"));
                }
                if let Some(code) = code {
                    log.append(&format!(" !     exit code {code} of the buildpacks' lifecycle"));
                }
            }
        }
        Ok(())
    }

    /// Which volumes the release will be the first to have.
    fn announce_volumes(
        &self,
        app: &AppName,
        artifact: &Artifact,
        log: &BuildLog,
    ) -> Result<(), StoreError> {
        let known = self.store.snapshot().scan::<Volume>(app.as_str())?;
        let new = |name: &VolumeName| {
            !known.iter().any(|it| it.name == *name && it.destroyed_at.is_none())
        };
        for process in artifact.processes.values() {
            for (name, Mounting { path, .. }) in process.volumes.iter().filter(|it| new(it.0)) {
                log.append(&format!("-----> New volume {name} for {} at {path}", process.name));
            }
        }
        Ok(())
    }

    async fn build(&self, builder: &Builder<E>, build: &Build, log: &BuildLog) -> Outcome {
        let cancel = self.stop.child_token();
        let (progress, mut news) = mpsc::channel(NEWS);
        let secrets = self.secrets_of(build)?;
        let request = BuildRequest {
            app: build.app.clone(),
            number: build.number,
            source: self.folders.source(&build.app, &build.source),
            limits: self.limits,
            environment: BTreeMap::new(),
            secrets,
            cancel: cancel.clone(),
            progress,
        };
        // A fault in one build is that build's end, and not the end of all.
        let building = async {
            let made = AssertUnwindSafe(self.make(builder, build, request)).catch_unwind().await;
            made.unwrap_or(Err(BuildError::Panicked))
        };
        let keep_log = async {
            let mut watched = Stopwatch::start(Instant::now());
            while let Some(news) = news.recv().await {
                match news {
                    Progress::Stage(stage) => {
                        tracing::debug!(app = %build.app, stage = stage.word(), "build");
                        watched.begin(stage, Instant::now());
                    }
                    Progress::Line(line) => log.append(&line),
                }
            }
            watched.account(Instant::now())
        };
        let watch = self.cancel_when_told(build, &cancel);
        tokio::pin!(watch);
        let both = async { tokio::join!(building, keep_log) };
        tokio::pin!(both);
        let (result, account) = tokio::select! {
            result = &mut both => result,
            () = &mut watch => both.await,
        };
        if result.is_ok() {
            log.append(&format!("-----> {account}"));
        }
        result.map_err(|error| Failure::from(error).told(|text| self.logs.hide(&build.app, text)))
    }

    /// The app's secrets as its next release will have them.
    fn secrets_of(&self, build: &Build) -> Result<OpenSecrets, Failure> {
        let failed = |error: &dyn std::error::Error| Failure {
            reason: chain(error),
            hint: Some("see the server's own log".to_owned()),
            code: None,
        };
        let app = self.store.snapshot().get::<App>(&build.app.as_str().to_owned());
        let Some(app) = app.map_err(|error| failed(&error))? else { return Ok(OpenSecrets::new()) };
        self.vault.open(&app.name, &app.secrets).map_err(|error| failed(&error))
    }

    /// By the source, or of what an earlier release has.
    async fn make(
        &self,
        builder: &Builder<E>,
        build: &Build,
        request: BuildRequest,
    ) -> Result<Artifact, BuildError> {
        let Some(version) = build.rebases else {
            // A former leader may have taken it, whether it was lost before or after it began to build.
            return if request.source.exists() {
                builder.build(request).await
            } else {
                Err(BuildError::Left)
            };
        };
        let key = (build.app.as_str().to_owned(), u64::from(version.0));
        let Ok(Some(release)) = self.store.snapshot().get::<Release>(&key) else {
            return Err(RebaseError::Foreign.into());
        };
        let (image, size) = builder.rebase(&request, &release.image).await?;
        Ok(Artifact { image, size, processes: release.processes, deploy: release.deploy })
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

/// Between two looks at all that builds keep.
const TIDY: Duration = Duration::from_mins(10);
/// The same while there is too little room; looking at every file takes a second.
const TIDY_WHEN_LOW: Duration = Duration::from_mins(1);

/// News of a build that wait to be written; when full, the build waits.
const NEWS: usize = 256;
