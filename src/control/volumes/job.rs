//! Snapshots and restores, step by step. Each step is done again if the daemon died in it, and ends the
//! same: what has its final name is whole.
//!
//! A snapshot is of one moment: whoever has the volume stands still while it is copied, for a bounded
//! time. A restore copies first, while the app runs; then nobody has the volume, and two renames later
//! somebody has it again. All of it is done where the volume is, by the steward of that machine.

use std::collections::BTreeSet;

use super::task::{Volumes, VolumesError};
use crate::{
    engine::Engine,
    faults,
    model::{
        Actor, App, AppName, ContainerId, EventKind, NodeName, Phase, RestoreSource, Snapshot,
        Timestamp, Volume, VolumeName,
        snapshot::{Job, SNAPSHOTS_KEPT, SnapshotCause, Task},
    },
    node::{Act, Acted, CopyTo},
    store::{StoreError, Transaction, View, backups, diary, releasing, volumes},
};

impl<E: Engine> Volumes<E> {
    /// Brings the work on a volume, which is on that node or on this machine, a step on.
    pub(super) async fn work(
        &mut self,
        (volume, home): (&Volume, Option<&NodeName>),
        job: &Job,
        now: Timestamp,
    ) -> Result<(), VolumesError> {
        let of = (&volume.app, &volume.name);
        let acted = match &job.task {
            Task::Snapshot { number } => {
                self.still((volume, home), CopyTo::Snapshot(*number)).await?
            }
            Task::Backup { at } => self.still((volume, home), CopyTo::Outgoing(*at)).await?,
            Task::Fetch { from: RestoreSource::Snapshot(from), .. } => {
                self.homes.act(home, of, Act::Fetch(*from)).await?
            }
            Task::Swap { kept, .. } => self.homes.act(home, of, Act::Swap(*kept)).await?,
            // Another task's work; this one goes on when it is done.
            Task::Upload { .. }
            | Task::Prepare { .. }
            | Task::Move { .. }
            | Task::Fetch { from: RestoreSource::Backup { .. }, .. } => return Ok(()),
        };
        if acted == Acted::Waits {
            self.memory.waits = true;
            return Ok(());
        }
        let (app, name, job) = (volume.app.clone(), volume.name.clone(), job.clone());
        self.store.transact(move |tx| record(tx, (&app, &name), &job, acted, now)).await?;
        faults::point("volumes.recorded");
        Ok(())
    }

    /// Copies what is in a volume while whoever has it stands still.
    async fn still(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        to: CopyTo,
    ) -> Result<Acted, VolumesError> {
        let of = (&volume.app, &volume.name);
        if !volume.frozen.is_empty() {
            // Somebody died in the middle.
            self.homes.act(home, of, Act::Thaw(volume.frozen.clone())).await?;
            self.standstill.end(&volume.frozen);
            self.note_frozen(volume, BTreeSet::new()).await?;
        }
        if self.is_changing(&volume.app)? {
            return Ok(Acted::Waits);
        }
        let users = match self.homes.act(home, of, Act::Users).await? {
            Acted::Users(users) => users,
            other => return Ok(other),
        };
        self.note_frozen(volume, users.clone()).await?;
        self.standstill.begin(&users);
        let copied = self.homes.act(home, of, Act::Copy(to, users.clone())).await?;
        self.standstill.end(&users);
        Ok(copied)
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

    /// Lets the oldest snapshots of a volume go.
    pub(super) async fn prune(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        now: Timestamp,
    ) -> Result<(), VolumesError> {
        let of = (volume.app.as_str(), volume.name.as_str());
        let all = self.store.snapshot().scan::<Snapshot>(&of)?;
        for old in all.iter().take(all.len().saturating_sub(SNAPSHOTS_KEPT)) {
            let dropped = Act::DropSnapshot(old.number);
            self.homes.act(home, (&old.app, &old.volume), dropped).await?;
            let old = old.clone();
            self.store.transact(move |tx| forget(tx, &old, now)).await?;
        }
        Ok(())
    }
}

fn record(
    tx: &mut Transaction<'_>,
    (app, name): (&AppName, &VolumeName),
    job: &Job,
    acted: Acted,
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
    let text = match (job.task.clone(), acted) {
        (_, Acted::Waits | Acted::Users(_)) => return Ok(()),
        (Task::Fetch { from, kept }, Acted::Done(_)) => {
            let task = Task::Swap { from, kept };
            volume.job = Some(Job { task, by: job.by.clone() });
            return tx.put(&volume);
        }
        (Task::Backup { at }, Acted::Done(_)) => {
            let task = Task::Upload { at, begun: 0 };
            volume.job = Some(Job { task, by: job.by.clone() });
            return tx.put(&volume);
        }
        (Task::Backup { .. }, Acted::Failed(why)) => {
            return backups::failed(tx, volume, &job.by, &why, now);
        }
        (Task::Upload { .. } | Task::Prepare { .. } | Task::Move { .. }, Acted::Done(_)) => {
            return Ok(());
        }
        (Task::Snapshot { number }, Acted::Done(size)) => {
            tx.put(&snapshot(number, size, SnapshotCause::Asked))?;
            format!("the snapshot {number} of the volume {name} was made")
        }
        (Task::Swap { from, kept }, Acted::Done(size)) => {
            let text =
                format!("the volume {name} was restored from {from}; what was in it is {kept}");
            tx.put(&snapshot(kept, size, SnapshotCause::Replaced { by: from }))?;
            text
        }
        (task, Acted::Failed(why)) => {
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
