//! The pass: work on volumes goes a step on, those that are to vanish are removed, and all are measured
//! now and then.
//!
//! Apart from the pass of apps, because both take long. Invariant: a volume's bytes go only when no
//! container has it, running or not. And what another machine has is left alone: what lies here under the same
//! names, if anything does, is something else.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::{
    clock,
    control::{standstill::Standstill, task::Task},
    engine::{Engine, EngineError},
    faults,
    model::{
        Actor, AppName, ByteSize, EventKind, NodeName, Timestamp, Volume, VolumeName,
        volume::{Away, Usage, Usages},
    },
    store::{Store, StoreError, Transaction, View, diary, volumes},
    telemetry::chain,
    volumes::{FolderError, VolumeFolders, measure},
};

/// The task that looks after volumes.
#[derive(Debug)]
pub struct Volumes<E> {
    /// What is to stay free of the disk when something is copied.
    pub reserve: ByteSize,
    /// The records.
    pub store: Store,
    /// Who has containers.
    pub engine: E,
    /// The bytes.
    pub folders: VolumeFolders,
    /// What this machine is called, whose they are.
    pub here: NodeName,
    /// Who is not asked how it is, as it stands still.
    pub standstill: Standstill,
    /// Where figures are published.
    pub usages: watch::Sender<Arc<Usages>>,
    /// Moves with every commit.
    pub commits: watch::Receiver<u64>,
    /// What a pass remembers for the next one.
    pub memory: Memory,
}

/// What a pass remembers for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    /// What was on record when it last looked.
    known: Vec<Volume>,
    /// Volumes whose users were told that they are nearly full.
    told: BTreeSet<(AppName, VolumeName)>,
    /// Whether something could not be done yet.
    pub(super) waits: bool,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum VolumesError {
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folders.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The containers.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl<E: Engine> Task for Volumes<E> {
    const NAME: &'static str = "volumes";
    type Error = VolumesError;

    /// Until the records of volumes change, or it is time to measure.
    async fn wait(&mut self) {
        let period = sleep(if self.memory.waits { AGAIN } else { PERIOD });
        tokio::pin!(period);
        loop {
            tokio::select! {
                () = &mut period => return,
                Ok(()) = self.commits.changed() => {}
            }
            let differs = |found: Vec<Volume>| found != self.memory.known;
            if self.store.snapshot().scan::<Volume>(&()).is_ok_and(differs) {
                return;
            }
        }
    }

    async fn pass(&mut self) -> Result<(), VolumesError> {
        self.commits.mark_unchanged();
        let (now, here) = (clock::now(), self.here.clone());
        self.store.transact(move |tx| volumes::settle(tx, &here)).await?;
        self.memory.known = self.store.snapshot().scan::<Volume>(&())?;
        self.memory.waits = false;
        let mut first_fault = None;
        for volume in self.memory.known.clone() {
            let done = self.see_to(&volume, now).await;
            // A fault of one does not touch the others.
            first_fault = first_fault.or(done.err());
        }
        let folders = self.folders.clone();
        if let Ok(swept) = tokio::task::spawn_blocking(move || folders.sweep()).await {
            first_fault = first_fault.or(swept.err().map(VolumesError::from));
        }
        self.measure(now).await?;
        first_fault.map_or(Ok(()), Err)
    }
}

impl<E: Engine> Volumes<E> {
    /// What there is to do for one volume now.
    async fn see_to(&mut self, volume: &Volume, now: Timestamp) -> Result<(), VolumesError> {
        match volumes::away(&self.store.snapshot(), volume, &self.here)? {
            Some(Away::On(_)) => return Ok(()),
            None | Some(Away::Lost(_)) if volume.destroyed_at.is_some() => {
                return self.remove(volume, now).await;
            }
            Some(Away::Lost(_)) => return Ok(()),
            None => {}
        }
        let Some(job) = &volume.job else { return Ok(()) };
        self.work(volume, job, now).await?;
        self.prune(volume, now).await
    }

    /// Takes the bytes away, then the record; while a container has it nothing is done.
    async fn remove(&mut self, volume: &Volume, now: Timestamp) -> Result<(), VolumesError> {
        let (app, name) = (volume.app.clone(), volume.name.clone());
        if let Err(error) = self.engine.forget_volume(&app, &name).await {
            self.memory.waits = true;
            log_waiting(&app, &name, &error);
            return Ok(());
        }
        let folders = self.folders.clone();
        self.store.transact(move |tx| vanish(tx, &folders, (&app, &name), now)).await
    }

    /// Looks at what was not looked at lately, one volume after the other.
    async fn measure(&mut self, now: Timestamp) -> Result<(), VolumesError> {
        let mut usages = Usages::clone(&self.usages.borrow());
        let mut own = self.memory.known.clone();
        own.retain(|volume| volume.home.as_ref() == Some(&self.here));
        let keys: BTreeSet<_> = own.iter().map(|it| (it.app.clone(), it.name.clone())).collect();
        usages.retain(|key, _| keys.contains(key));
        self.memory.told.retain(|key| keys.contains(key));
        for volume in own {
            let key = (volume.app.clone(), volume.name.clone());
            if usages.get(&key).is_some_and(|usage| now.since(usage.at) < PERIOD) {
                continue;
            }
            let folder = self.folders.data(&volume.app, &volume.name);
            let found = tokio::task::spawn_blocking(move || measure(&folder)).await;
            let Ok(Some(used)) = found else { continue };
            usages.insert(key, Usage { used, at: now });
            self.warn(&volume, used, now).await?;
        }
        self.usages.send_replace(Arc::new(usages));
        Ok(())
    }

    /// Tells people once that a volume is nearly full, and once more when it is so again.
    async fn warn(
        &mut self,
        volume: &Volume,
        used: ByteSize,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (volume.app.clone(), volume.name.clone());
        let Some(size) = volume.size.filter(|size| used.0 >= size.0 - size.0 / 10) else {
            self.memory.told.remove(&key);
            return Ok(());
        };
        if !self.memory.told.insert(key) {
            return Ok(());
        }
        let (app, name) = (volume.app.clone(), volume.name.clone());
        let text = format!("the volume {name} is nearly full: {used} of {size}");
        tracing::warn!(%app, volume = %name, %used, %size, "a volume is nearly full");
        self.store
            .transact(move |tx| {
                diary::write(tx, &app, EventKind::Volume, text, &Actor::platform(), now)
            })
            .await
    }
}

/// Takes the bytes away and the record, unless a release has the volume again. The bytes within the
/// transaction, as they are renamed in a moment: so no release can name the volume between the two.
fn vanish(
    tx: &mut Transaction<'_>,
    folders: &VolumeFolders,
    (app, name): (&AppName, &VolumeName),
    now: Timestamp,
) -> Result<(), VolumesError> {
    let key = volumes::key(app, name);
    if tx.get::<Volume>(&key)?.is_none_or(|volume| volume.destroyed_at.is_none()) {
        return Ok(());
    }
    folders.discard(app, name)?;
    faults::point("volumes.discarded");
    volumes::forget_snapshots(tx, app, name)?;
    tx.delete::<Volume>(&key)?;
    let text = format!("the volume {name} is gone");
    Ok(diary::write(tx, app, EventKind::Volume, text, &Actor::platform(), now)?)
}

fn log_waiting(app: &AppName, name: &VolumeName, error: &EngineError) {
    let error = chain(error);
    tracing::debug!(%app, volume = %name, %error, "a volume is not removed yet");
}

/// Between two looks at how large a volume is.
const PERIOD: Duration = Duration::from_mins(5);
/// Between two looks whether a container still has it.
const AGAIN: Duration = Duration::from_millis(250);
