//! The pass: work on volumes goes a step on, those that are to vanish are removed, and all are measured
//! now and then.
//!
//! Apart from the pass of apps, because both take long. Invariant: a volume's bytes go only when no
//! container has it, running or not. All of it is done where the volume is; what lies elsewhere under the same
//! names, if anything does, is something else, unless the record says that it was left there by a move.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::{
    clock,
    control::{standstill::Standstill, task::Task},
    engine::Engine,
    faults,
    model::{
        Actor, App, AppName, ByteSize, EventKind, Node, NodeName, Timestamp, Volume, VolumeName,
        volume::{Usage, Usages},
    },
    node::{Act, Acted, Homes, HomesError},
    store::{Store, StoreError, Transaction, View, diary, volumes},
    telemetry::chain,
    volumes::{FolderError, VolumeFolders},
};

/// The task that looks after volumes.
#[derive(Debug)]
pub struct Volumes<E> {
    /// The records.
    pub store: Store,
    /// Wherever volumes are.
    pub homes: Homes<E>,
    /// What this machine is called.
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
    /// Apps of which nothing is kept any more.
    over: BTreeSet<AppName>,
    /// Whether something could not be done yet.
    pub(super) waits: bool,
    /// Whether a machine on which there is something to do is not reached.
    away: bool,
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
    /// Where they are.
    #[error(transparent)]
    Home(#[from] HomesError),
}

impl<E: Engine> Task for Volumes<E> {
    const NAME: &'static str = "volumes";
    type Error = VolumesError;

    /// Until the records of volumes change, or it is time to measure.
    async fn wait(&mut self) {
        let period = sleep(match (self.memory.waits, self.memory.away) {
            (true, _) => AGAIN,
            (false, true) => LATER,
            (false, false) => PERIOD,
        });
        tokio::pin!(period);
        loop {
            tokio::select! {
                () = &mut period => return,
                Ok(()) = self.commits.changed() => {}
            }
            let view = self.store.snapshot();
            let differs = |found: Vec<Volume>| found != self.memory.known;
            let ends = |over: BTreeSet<AppName>| over != self.memory.over;
            if view.scan::<Volume>(&()).is_ok_and(differs)
                || over(&view, clock::now()).is_ok_and(ends)
            {
                return;
            }
        }
    }

    async fn pass(&mut self) -> Result<(), VolumesError> {
        self.commits.mark_unchanged();
        let (now, here) = (clock::now(), self.here.clone());
        self.store.transact(move |tx| volumes::settle(tx, &here)).await?;
        let view = self.store.snapshot();
        self.memory.known = view.scan::<Volume>(&())?;
        self.memory.over = over(&view, now)?;
        (self.memory.waits, self.memory.away) = (false, false);
        let mut first_fault = None;
        for volume in self.memory.known.clone() {
            match self.see_to(&volume, now).await {
                Err(VolumesError::Home(error)) if error.is_away() => {
                    let (app, name) = (&volume.app, &volume.name);
                    tracing::debug!(%app, volume = %name, error = %chain(&error), "not there now");
                    self.memory.away = true;
                }
                // A fault of one does not touch the others.
                done => first_fault = first_fault.or(done.err()),
            }
        }
        let folders = self.homes.folders().clone();
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
        let home = match volumes::home(&self.store.snapshot(), volume, &self.here)? {
            Ok(home) => home,
            Err(_) if volume.destroyed_at.is_none() => return Ok(()),
            Err(_) => return self.forget((volume, None), now).await,
        };
        let home = home.as_ref();
        let cleared = self.cleared(volume).await?;
        // Those of this machine go with the records of the app, which wait for those of others.
        let is_over = home.is_some() && self.memory.over.contains(&volume.app);
        if volume.destroyed_at.is_some() || is_over {
            return if cleared { self.remove((volume, home), now).await } else { Ok(()) };
        }
        let Some(job) = &volume.job else { return Ok(()) };
        self.work((volume, home), job, now).await?;
        self.prune((volume, home), now).await
    }

    /// Takes away what moves have left of a volume elsewhere. Whether nothing is left.
    async fn cleared(&mut self, volume: &Volume) -> Result<bool, VolumesError> {
        let of = (&volume.app, &volume.name);
        for node in &volume.left {
            let is_node = self.store.snapshot().get::<Node>(&node.as_str().to_owned())?.is_some();
            let acted = if *node == self.here {
                self.homes.act(None, of, Act::Discard).await
            } else if is_node {
                self.homes.act(Some(node), of, Act::Discard).await
            } else {
                // It took with it whatever it had.
                Ok(Acted::Done(None))
            };
            match acted {
                Ok(Acted::Waits) => self.memory.waits = true,
                Err(error) if error.is_away() => self.memory.away = true,
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    let (app, name, node) = (volume.app.clone(), volume.name.clone(), node.clone());
                    let cleared =
                        move |tx: &mut Transaction<'_>| volumes::cleared(tx, (&app, &name), &node);
                    self.store.transact(cleared).await?;
                    continue;
                }
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes the bytes away, then the record; while a container has it nothing is done.
    async fn remove(
        &mut self,
        (volume, home): (&Volume, Option<&NodeName>),
        now: Timestamp,
    ) -> Result<(), VolumesError> {
        let of = (&volume.app, &volume.name);
        // Those of this machine go within the transaction that deletes the record.
        let act = if home.is_some() { Act::Discard } else { Act::Release };
        if self.homes.act(home, of, act).await? == Acted::Waits {
            self.memory.waits = true;
            return Ok(());
        }
        self.forget((volume, home), now).await
    }

    /// Has a volume vanish that has no bytes on a node.
    async fn forget(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        now: Timestamp,
    ) -> Result<(), VolumesError> {
        let (app, name) = (volume.app.clone(), volume.name.clone());
        let over = self.memory.over.contains(&app);
        // What lies here under the same name as one of a node is something else.
        let folders = home.is_none().then(|| self.homes.folders().clone());
        self.store.transact(move |tx| vanish(tx, folders, (&app, &name, over), now)).await
    }

    /// Looks at what was not looked at lately, one volume after the other.
    async fn measure(&mut self, now: Timestamp) -> Result<(), VolumesError> {
        let mut usages = Usages::clone(&self.usages.borrow());
        let all = self.memory.known.clone();
        let keys: BTreeSet<_> = all.iter().map(|it| (it.app.clone(), it.name.clone())).collect();
        usages.retain(|key, _| keys.contains(key));
        self.memory.told.retain(|key| keys.contains(key));
        for volume in all {
            let key = (volume.app.clone(), volume.name.clone());
            if usages.get(&key).is_some_and(|usage| now.since(usage.at) < PERIOD) {
                continue;
            }
            let home = volumes::home(&self.store.snapshot(), &volume, &self.here)?;
            let Ok(home) = home else { continue };
            // What is not known now is looked at the next time.
            let found =
                self.homes.act(home.as_ref(), (&volume.app, &volume.name), Act::Measure).await;
            let Ok(Acted::Done(Some(used))) = found else { continue };
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

/// The apps that are destroyed, and not kept any more.
fn over(view: &impl View, now: Timestamp) -> Result<BTreeSet<AppName>, StoreError> {
    let all = view.scan::<App>(&())?.into_iter();
    let over = all.filter(|app| app.destroyed_at.is_some() && app.is_kept(now).is_none());
    Ok(over.map(|app| app.name).collect())
}

/// Takes the bytes away and the record, unless a release has the volume again. The bytes within the
/// transaction, as they are renamed in a moment: so no release can name the volume between the two.
fn vanish(
    tx: &mut Transaction<'_>,
    folders: Option<VolumeFolders>,
    (app, name, over): (&AppName, &VolumeName, bool),
    now: Timestamp,
) -> Result<(), VolumesError> {
    let key = volumes::key(app, name);
    let goes = |volume: Volume| over || volume.destroyed_at.is_some();
    if !tx.get::<Volume>(&key)?.is_some_and(goes) {
        return Ok(());
    }
    if let Some(folders) = folders {
        folders.discard(app, name)?;
    }
    faults::point("volumes.discarded");
    volumes::forget_snapshots(tx, app, name)?;
    tx.delete::<Volume>(&key)?;
    let text = format!("the volume {name} is gone");
    Ok(diary::write(tx, app, EventKind::Volume, text, &Actor::platform(), now)?)
}

/// Between two looks at how large a volume is.
const PERIOD: Duration = Duration::from_mins(5);
/// Between two looks whether a container still has it.
const AGAIN: Duration = Duration::from_millis(250);
/// Until a machine is asked again that was not reached.
const LATER: Duration = Duration::from_secs(3);
