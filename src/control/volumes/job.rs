//! Snapshots and restores, step by step. Each step is done again if the daemon died in it, and ends the
//! same: what has its final name is whole.
//!
//! A snapshot is of one moment: whoever has the volume stands still while it is copied, for a bounded
//! time. A restore copies first, while the app runs; then nobody has the volume, and two renames later
//! somebody has it again.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

use super::task::{Volumes, VolumesError};
use crate::{
    engine::Engine,
    faults,
    model::{
        Actor, App, AppName, ByteSize, ContainerId, EventKind, Phase, RestoreSource, Snapshot,
        SnapshotNumber, Timestamp, Volume, VolumeName,
        snapshot::{Job, SNAPSHOTS_KEPT, SnapshotCause, Task},
    },
    store::{StoreError, Transaction, View, backups, diary, releasing, volumes},
    telemetry::chain,
    volumes::{Copied, CopyError, measure},
};

/// What a copy of a volume becomes.
#[derive(Clone, Copy)]
enum Purpose {
    /// A snapshot.
    Snapshot(SnapshotNumber),
    /// What a backup of that moment is sent from.
    Outgoing(Timestamp),
}

/// How a step ended.
enum Outcome {
    /// What there is now takes so much of the disk.
    Done(Option<ByteSize>),
    /// Not at all, and why, for people.
    Failed(String),
    /// Somebody has the volume still.
    Waits,
}

impl<E: Engine> Volumes<E> {
    /// Brings the work on a volume a step on.
    pub(super) async fn work(
        &mut self,
        volume: &Volume,
        job: &Job,
        now: Timestamp,
    ) -> Result<(), VolumesError> {
        let (app, name) = (&volume.app, &volume.name);
        let outcome = match &job.task {
            Task::Snapshot { number } => self.still(volume, Purpose::Snapshot(*number)).await?,
            Task::Backup { at } => self.still(volume, Purpose::Outgoing(*at)).await?,
            Task::Fetch { from: RestoreSource::Snapshot(from), .. } => {
                self.fetch(app, name, *from).await?
            }
            Task::Swap { kept, .. } => self.swap(app, name, *kept).await?,
            // Another task's work; this one goes on when it is done.
            Task::Upload { .. } | Task::Fetch { from: RestoreSource::Backup { .. }, .. } => {
                return Ok(());
            }
        };
        if matches!(outcome, Outcome::Waits) {
            self.memory.waits = true;
            return Ok(());
        }
        let (app, name, job) = (app.clone(), name.clone(), job.clone());
        self.store.transact(move |tx| record(tx, (&app, &name), &job, outcome, now)).await?;
        faults::point("volumes.recorded");
        Ok(())
    }

    /// Copies what is in a volume while whoever has it stands still.
    async fn still(&self, volume: &Volume, to: Purpose) -> Result<Outcome, VolumesError> {
        let (app, name) = (&volume.app, &volume.name);
        if !volume.frozen.is_empty() {
            // A daemon died in the middle.
            self.go_on(&volume.frozen).await?;
            self.note_frozen(volume, BTreeSet::new()).await?;
        }
        if self.is_changing(app)? {
            return Ok(Outcome::Waits);
        }
        let users = self.engine.users(app, name).await?.running;
        self.note_frozen(volume, users.clone()).await?;
        self.standstill.begin(&users);
        let copied = self.copied((app, name), &users, to).await;
        // Whatever came of it, nobody is left standing; if that fails, it is all tried again.
        self.go_on(&users).await?;
        let settled = match copied? {
            Ok(copied) => settled(copied).await,
            Err(why) => Err(why),
        };
        Ok(match settled {
            Ok(folder) => {
                let size = tokio::task::spawn_blocking(move || measure(&folder)).await;
                Outcome::Done(size.ok().flatten())
            }
            Err(why) => Outcome::Failed(why),
        })
    }

    /// Whether instances of an app come and go: a rollout would wait for one that stands still. One that is
    /// tried or watched may take days, and nobody comes or goes meanwhile.
    fn is_changing(&self, app: &AppName) -> Result<bool, StoreError> {
        let view = self.store.snapshot();
        let Some(app) = view.get::<App>(&app.as_str().to_owned())? else { return Ok(false) };
        let rollout = releasing::under_way(&view, &app)?;
        Ok(rollout.is_some_and(|it| !matches!(it.phase, Phase::Trying | Phase::Watching)))
    }

    /// Puts on record who is about to stand still, or that nobody does any more.
    async fn note_frozen(
        &self,
        volume: &Volume,
        whom: BTreeSet<ContainerId>,
    ) -> Result<(), StoreError> {
        let key = volumes::key(&volume.app, &volume.name);
        let noted = move |tx: &mut Transaction<'_>| match tx.get::<Volume>(&key)? {
            Some(volume) if volume.frozen != whom => tx.put(&Volume { frozen: whom, ..volume }),
            Some(_) | None => Ok(()),
        };
        self.store.transact(noted).await
    }

    /// Has those of these go on that stand still.
    async fn go_on(&self, whom: &BTreeSet<ContainerId>) -> Result<(), VolumesError> {
        self.engine.thaw(whom).await?;
        self.standstill.end(whom);
        Ok(())
    }

    /// Has these stand still, and copies the volume that they have; or says why not, for people.
    async fn copied(
        &self,
        (app, name): (&AppName, &VolumeName),
        users: &BTreeSet<ContainerId>,
        to: Purpose,
    ) -> Result<Result<Copied, String>, VolumesError> {
        let frozen = self.engine.freeze(users).await?;
        faults::point("volumes.frozen");
        let longest = if frozen.is_empty() { PATIENCE } else { STANDSTILL };
        let (folders, reserve) = (self.folders.clone(), self.reserve);
        let (of, volume) = (app.clone(), name.clone());
        let work = move |stop: &AtomicBool| match to {
            Purpose::Snapshot(number) => folders.keep(&of, &volume, number, reserve, stop),
            Purpose::Outgoing(at) => folders.ship(&of, &volume, at, reserve, stop),
        };
        let copied = within(longest, work).await;
        // Whoever ran meanwhile may have written to what was copied already.
        let after = self.engine.users(app, name).await?;
        let stood = after.running.is_empty() && frozen.is_subset(&after.paused);
        let Ok(copied) = copied else { return Ok(copied) };
        if stood || copied.was_there() {
            return Ok(Ok(copied));
        }
        self.folders.give_up(copied)?;
        Ok(Err("an instance that has it ran while it was copied; ask for it again".to_owned()))
    }

    async fn fetch(
        &self,
        app: &AppName,
        name: &VolumeName,
        from: SnapshotNumber,
    ) -> Result<Outcome, VolumesError> {
        let (folders, app, name) = (self.folders.clone(), app.clone(), name.clone());
        let reserve = self.reserve;
        let work = move |stop: &AtomicBool| folders.fetch(&app, &name, from, reserve, stop);
        let settled = match within(PATIENCE, work).await {
            Ok(copied) => settled(copied).await,
            Err(why) => Err(why),
        };
        Ok(settled.map_or_else(Outcome::Failed, |_| Outcome::Done(None)))
    }

    async fn swap(
        &self,
        app: &AppName,
        name: &VolumeName,
        kept: SnapshotNumber,
    ) -> Result<Outcome, VolumesError> {
        // From here on to the end nobody is started who has it.
        let _turn = self.folders.turn().write().await;
        if !self.engine.is_free(app, name).await? {
            return Ok(Outcome::Waits);
        }
        self.folders.put_by(app, name, kept)?;
        faults::point("volumes.put_by");
        self.folders.take_next(app, name)?;
        faults::point("volumes.swapped");
        Ok(Outcome::Done(None))
    }

    /// Lets the oldest snapshots of a volume go.
    pub(super) async fn prune(&self, volume: &Volume, now: Timestamp) -> Result<(), VolumesError> {
        let of = (volume.app.as_str(), volume.name.as_str());
        let all = self.store.snapshot().scan::<Snapshot>(&of)?;
        for old in all.iter().take(all.len().saturating_sub(SNAPSHOTS_KEPT)) {
            self.folders.discard_snapshot(&old.app, &old.volume, old.number)?;
            let old = old.clone();
            self.store.transact(move |tx| forget(tx, &old, now)).await?;
        }
        Ok(())
    }
}

/// Copies, which blocks, and has it stopped after a time; or says why not, for people.
async fn within(
    longest: Duration,
    work: impl FnOnce(&AtomicBool) -> Result<Copied, CopyError> + Send + 'static,
) -> Result<Copied, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let mut work = tokio::task::spawn_blocking(move || work(&told));
    let done = match timeout(longest, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            stop.store(true, Ordering::Relaxed);
            work.await
        }
    };
    match done {
        Ok(Ok(copied)) => Ok(copied),
        Ok(Err(CopyError::Stopped)) => Err(format!(
            "it takes longer than {longest:?} to copy, and nobody can be made to stand still \
             for longer; stop the process first, with `paas scale`"
        )),
        Ok(Err(error)) => Err(chain(&error)),
        Err(error) => Err(chain(&error)),
    }
}

/// Gives a copy its name when it is on the disk; or says why not, for people.
async fn settled(copied: Copied) -> Result<PathBuf, String> {
    match tokio::task::spawn_blocking(move || copied.settle()).await {
        Ok(settled) => settled.map_err(|error| chain(&error)),
        Err(error) => Err(chain(&error)),
    }
}

fn record(
    tx: &mut Transaction<'_>,
    (app, name): (&AppName, &VolumeName),
    job: &Job,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = tx.get::<Volume>(&volumes::key(app, name))?;
    let Some(mut volume) = found.filter(|volume| volume.job.as_ref() == Some(job)) else {
        return Ok(());
    };
    (volume.job, volume.frozen) = (None, BTreeSet::new());
    let snapshot = |number, size, cause| Snapshot {
        app: app.clone(),
        volume: name.clone(),
        number,
        at: now,
        by: job.by.clone(),
        size,
        cause,
    };
    let text = match (job.task.clone(), outcome) {
        (_, Outcome::Waits) => return Ok(()),
        (Task::Fetch { from, kept }, Outcome::Done(_)) => {
            let task = Task::Swap { from, kept };
            volume.job = Some(Job { task, by: job.by.clone() });
            return tx.put(&volume);
        }
        (Task::Backup { at }, Outcome::Done(_)) => {
            let task = Task::Upload { at, begun: 0 };
            volume.job = Some(Job { task, by: job.by.clone() });
            return tx.put(&volume);
        }
        (Task::Backup { .. }, Outcome::Failed(why)) => {
            return backups::failed(tx, volume, &job.by, &why, now);
        }
        (Task::Upload { .. }, Outcome::Done(_)) => return Ok(()),
        (Task::Snapshot { number }, Outcome::Done(size)) => {
            tx.put(&snapshot(number, size, SnapshotCause::Asked))?;
            format!("the snapshot {number} of the volume {name} was made")
        }
        (Task::Swap { from, kept }, Outcome::Done(size)) => {
            let text =
                format!("the volume {name} was restored from {from}; what was in it is {kept}");
            tx.put(&snapshot(kept, size, SnapshotCause::Replaced { by: from }))?;
            text
        }
        (task, Outcome::Failed(why)) => {
            let text = format!("volume {name}: {} failed: {why}", task.words());
            volume.failure = Some(why);
            text
        }
    };
    tx.put(&volume)?;
    diary::write(tx, app, EventKind::Volume, text, &job.by, now)
}

fn forget(tx: &mut Transaction<'_>, old: &Snapshot, now: Timestamp) -> Result<(), StoreError> {
    let Snapshot { app, volume, number, .. } = old;
    tx.delete::<Snapshot>(&volumes::snapshot_key(app, volume, *number))?;
    let text =
        format!("the snapshot {number} of the volume {volume} is gone: {SNAPSHOTS_KEPT} are kept");
    diary::write(tx, app, EventKind::Volume, text, &Actor::platform(), now)
}

/// The longest that an app stands still for a snapshot: visitors wait meanwhile.
const STANDSTILL: Duration = Duration::from_secs(20);
/// The longest copy that nobody waits for.
const PATIENCE: Duration = Duration::from_hours(6);
