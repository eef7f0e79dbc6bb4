//! Cleaning up: what nobody refers to any more is removed, by name, and only what is ours.
//!
//! Images: those of the releases that stay ([`keeping`]), for rollback, and whatever instances run. Records
//! of other releases, of older builds and rollouts go with them, and secrets that no release names. Uploads
//! stay while a build waits for them, and blobs that were pushed while an upload has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use crate::{
    build::{
        BuildFolders,
        variants::{self, InUse},
    },
    clock,
    control::task::Task,
    engine::{BuildEngine, Engine, EngineError, ImageRole, OwnImage},
    model::{
        App, AppName, Build, BuildNumber, ImageId, Release, Rollout, RolloutNumber, SourceDigest,
        keeping,
    },
    registry::Shelf,
    store::{Store, StoreError, Transaction, View, cron, export::ExportError, secrets},
    telemetry::chain,
};

/// The task that cleans up and keeps the hourly exports.
#[derive(Debug)]
pub struct Sweep<E> {
    /// The records.
    pub store: Store,
    /// Docker.
    pub engine: E,
    /// Where sources wait.
    pub folders: BuildFolders,
    /// The data folder, where blobs are that were pushed.
    pub data: PathBuf,
    /// The newest releases of an app that stay, where it does not say so itself.
    pub releases: usize,
    /// Moves with every commit.
    pub commits: watch::Receiver<u64>,
    /// What had ended when it last looked.
    pub ended: BTreeMap<AppName, Ended>,
}

/// The last build and the last rollout of an app that came to their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    build: Option<BuildNumber>,
    rollout: Option<RolloutNumber>,
}

/// Why it did not clean up.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Docker.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The hourly export.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl<E: Engine + BuildEngine> Task for Sweep<E> {
    const NAME: &'static str = "sweep";
    type Error = SweepError;

    /// Once an hour, and when a build or a rollout has ended: the one leaves an image too many, and what
    /// served before the other is needed until then, however long that takes.
    async fn wait(&mut self) {
        let hour = sleep(PERIOD);
        tokio::pin!(hour);
        loop {
            tokio::select! {
                () = &mut hour => return,
                Ok(()) = self.commits.changed() => {}
            }
            if self.ended().is_ok_and(|ended| ended != self.ended) {
                // Often a rollout follows a build at once, and then one look does for both.
                return sleep(SETTLED).await;
            }
        }
    }

    async fn pass(&mut self) -> Result<(), SweepError> {
        self.ended = self.ended()?;
        let releases = self.releases;
        self.store.transact(move |tx| forget_old(tx, releases)).await?;
        self.sweep_uploads()?;
        self.sweep_images().await?;
        let store = self.store.clone();
        let exported =
            tokio::task::spawn_blocking(move || store.export_hourly(clock::system())).await;
        if let Ok(result) = exported {
            result?;
        }
        Ok(())
    }
}

impl<E: Engine + BuildEngine> Sweep<E> {
    /// What has ended last, of each app. It is asked at every commit and reads few records.
    fn ended(&self) -> Result<BTreeMap<AppName, Ended>, StoreError> {
        let snapshot = self.store.snapshot();
        let of_app = |app: App| {
            let name = app.name.as_str();
            let builds = snapshot.latest::<Build>(name, RECENT)?;
            let rollouts = snapshot.latest::<Rollout>(name, RECENT)?;
            let ended = Ended {
                build: builds.iter().find(|one| one.status.is_final()).map(|one| one.number),
                rollout: rollouts.iter().find(|one| one.phase.is_final()).map(|one| one.number),
            };
            Ok((app.name, ended))
        };
        snapshot.scan::<App>(&())?.into_iter().map(of_app).collect()
    }

    fn sweep_uploads(&self) -> Result<(), StoreError> {
        let snapshot = self.store.snapshot();
        for app in snapshot.scan::<App>(&())? {
            let builds = snapshot.scan::<Build>(app.name.as_str())?;
            let (mut wanted, mut built) = (BTreeSet::<SourceDigest>::new(), BTreeMap::new());
            // The last one may be asked for again, or be what the next upload is compared with.
            wanted.extend(builds.last().map(|build| build.source.clone()));
            for build in builds {
                match build.finished_at {
                    Some(end) if build.status.is_final() => {
                        built.insert(build.source, clock::of_files(end));
                    }
                    Some(_) | None => drop(wanted.insert(build.source)),
                }
            }
            self.folders.sweep(&app.name, &wanted, &built, clock::system());
            let blobs = self.folders.pushed_blobs(&app.name);
            Shelf::of(&self.data, &app.name).sweep(&blobs, clock::system());
        }
        Ok(())
    }

    async fn sweep_images(&self) -> Result<(), SweepError> {
        // Containers first: one that appears later runs an image of a release that is on record.
        let running = self.engine.instances().await?;
        let images = self.engine.images().await?;
        let snapshot = self.store.snapshot();
        let releases = snapshot.scan::<Release>(&())?;
        let building: BTreeSet<AppName> = snapshot
            .scan::<Build>(&())?
            .into_iter()
            .filter(|build| !build.status.is_final())
            .map(|build| build.app)
            .collect();
        let mut wanted: BTreeSet<ImageId> =
            running.into_iter().map(|instance| instance.image).collect();
        // In the order of their versions.
        let newest: BTreeMap<AppName, ImageId> =
            releases.iter().map(|it| (it.app.clone(), it.image.clone())).collect();
        wanted.extend(releases.into_iter().map(|release| release.image));
        let folders = &self.folders;
        let used = InUse { apps: folders.apps(), images: &images, now: clock::system() };
        variants::sweep(&self.engine, folders.variants(), used).await?;
        for image in &images {
            // An app that is being built may have an image that is not on record yet.
            let spare = image.app.as_ref().is_some_and(|app| !building.contains(app));
            if !spare || wanted.contains(&image.id) || serves_builds(image, &newest, &images) {
                continue;
            }
            match self.engine.remove_image(&image.id).await {
                Ok(()) => tracing::info!(image = %image.id, "removed an image"),
                Err(error) => {
                    tracing::debug!(image = %image.id, error = %chain(&error), "an image stays");
                }
            }
        }
        Ok(())
    }
}

/// Whether an image is a stage for the next build of an app that a Dockerfile makes still.
fn serves_builds(
    image: &OwnImage,
    newest: &BTreeMap<AppName, ImageId>,
    images: &[OwnImage],
) -> bool {
    let newest = image.app.as_ref().and_then(|app| newest.get(app));
    let of_dockerfile =
        |one: &OwnImage| Some(&one.id) == newest && one.role == ImageRole::OfDockerfile;
    // Before its first release, all that there is of an app may be stages.
    image.role == ImageRole::Stage && (newest.is_none() || images.iter().any(of_dockerfile))
}

/// Drops the records of releases that do not stay, and of builds and rollouts that no longer matter: not
/// to a release that stays, and not for their age.
fn forget_old(tx: &mut Transaction<'_>, most: usize) -> Result<(), StoreError> {
    for app in tx.scan::<App>(&())? {
        let (name, key) = (app.name.as_str(), app.name.as_str().to_owned());
        let (releases, rollouts) =
            (tx.scan::<Release>(name)?, tx.latest::<Rollout>(name, usize::MAX)?);
        let kept = keeping::kept(&app, &releases, &rollouts, most);
        let mut builders = BTreeSet::<BuildNumber>::new();
        for release in releases {
            if kept.contains_key(&release.version) {
                builders.insert(release.build);
            } else {
                tx.delete::<Release>(&(key.clone(), release.version.0.into()))?;
            }
        }
        secrets::forget_unnamed(tx, &app)?;
        cron::forget_unknown(tx, &app.name)?;
        for build in tx.latest::<Build>(name, usize::MAX)?.iter().skip(KEPT_RECORDS) {
            if build.status.is_final() && !builders.contains(&build.number) {
                tx.delete::<Build>(&(key.clone(), build.number.0.into()))?;
            }
        }
        for rollout in rollouts.iter().skip(KEPT_RECORDS) {
            // Restarts are without number, and tell nothing of how a release came to serve.
            let is_restart = rollout.from.is_some_and(|from| from.release == rollout.to.release);
            let matters = kept.contains_key(&rollout.to.release) && !is_restart;
            if rollout.phase.is_final() && !matters {
                tx.delete::<Rollout>(&(key.clone(), rollout.number.0.into()))?;
            }
        }
    }
    Ok(())
}

/// Builds and rollouts of an app that stay on record whatever came of them.
const KEPT_RECORDS: usize = 100;

/// Builds and rollouts of an app among which the last that ended is looked for: more are seldom under way.
const RECENT: usize = 8;

/// From the end of a build or a rollout to the look at what it left over.
const SETTLED: Duration = Duration::from_secs(5);

const PERIOD: Duration = Duration::from_hours(1);
