//! Whatever is done to the volumes of a machine is done there, by what has its folders and its Docker: copies,
//! exchanges, removals, and what goes to another machine or comes from there.
//!
//! Each act is done again if somebody died in it, and ends the same: what has its final name is whole. Of one volume
//! only one is done at a time, so that nobody who was given up on comes after who took his place.

mod parcels;
mod pieces;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    backup::BackupError,
    engine::{Engine, EngineError},
    faults,
    model::{AppName, ByteSize, ContainerId, SnapshotNumber, Timestamp, VolumeName},
    telemetry::chain,
    volumes::{Copied, CopyError, FolderError, VolumeFolders, measure},
};

pub use parcels::{Lading, Parcel, Room};
pub use pieces::{PieceWriter, Pieces, pieces};

/// Something that is done to a volume, where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Say who has it and is alive.
    Users,
    /// Have those of these go on that stand still.
    Thaw(BTreeSet<ContainerId>),
    /// Copy what is in it while these stand still, who all go on then.
    Copy(CopyTo, BTreeSet<ContainerId>),
    /// Copy a snapshot to what is about to take the place of what is in it.
    Fetch(SnapshotNumber),
    /// Have that take its place; what was there becomes a snapshot.
    Swap(SnapshotNumber),
    /// Say whether nobody has it, or is being started who will.
    IsFree,
    /// Take a snapshot away.
    DropSnapshot(SnapshotNumber),
    /// Take away what backups were to be sent from.
    DropOutgoing,
    /// Have the engine forget it, once no container has it.
    Release,
    /// The same, and take all of it away.
    Discard,
    /// Say how much of the disk it takes.
    Measure,
}

/// What a copy of a volume becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyTo {
    /// A snapshot.
    Snapshot(SnapshotNumber),
    /// What a backup of that moment is sent from.
    Outgoing(Timestamp),
}

/// How an act ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acted {
    /// It is done. What there is now takes so much of the disk, if that was looked at.
    Done(Option<ByteSize>),
    /// They have it, and may write to it.
    Users(BTreeSet<ContainerId>),
    /// Not at all, and why, for people.
    Failed(String),
    /// Somebody has the volume still.
    Waits,
}

/// Why it could not be said how an act ends.
#[derive(Debug, thiserror::Error)]
pub enum StewardError {
    /// The folders.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The containers.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What is packed or unpacked.
    #[error(transparent)]
    Parcel(#[from] BackupError),
    /// The volume, or what was to be sent of it.
    #[error("nothing of it is there")]
    Nothing,
    /// The work itself.
    #[error("the work ended early")]
    Lost(#[from] tokio::task::JoinError),
}

/// A volume, by app and name.
pub type Of<'a> = (&'a AppName, &'a VolumeName);

/// Looks after the volumes of a machine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Steward<E> {
    engine: E,
    folders: VolumeFolders,
    reserve: ByteSize,
    /// Whether a volume can begin here.
    begins: bool,
    turns: Turns,
}

/// Whose turn it is at each volume.
type Turns = Arc<Mutex<BTreeMap<(AppName, VolumeName), Arc<Turn<()>>>>>;

impl<E: Engine> Steward<E> {
    /// Of the machine of this engine, whose volumes lie there. So much of its disk stays free when something is copied.
    pub fn new(engine: E, folders: VolumeFolders, reserve: ByteSize) -> Self {
        Self { engine, folders, reserve, begins: true, turns: Turns::default() }
    }

    /// The same of a node. Volumes come there, and never begin there: one that is not there is lost, and an empty one
    /// must not take its place.
    #[must_use]
    pub fn of_node(self) -> Self {
        Self { begins: false, ..self }
    }

    /// The folder of a volume, which is made unless it is there, where one can begin.
    pub fn open(&self, (app, name): Of<'_>) -> Result<PathBuf, StewardError> {
        let folder = self.folders.data(app, name);
        if self.begins {
            Ok(self.folders.open(app, name)?)
        } else if folder.is_dir() {
            Ok(folder)
        } else {
            Err(StewardError::Nothing)
        }
    }

    /// Where the volumes lie.
    pub fn folders(&self) -> &VolumeFolders {
        &self.folders
    }

    /// Does one thing to a volume. It may take long.
    pub async fn act(&self, of: Of<'_>, act: Act) -> Result<Acted, StewardError> {
        let (app, name) = of;
        let _turn = match act {
            Act::Users | Act::Thaw(_) | Act::Measure => None,
            _ => Some(self.turn(of).await),
        };
        match act {
            Act::Users => return Ok(Acted::Users(self.engine.users(app, name).await?.running)),
            Act::Thaw(whom) => {
                self.engine.thaw(&whom).await?;
                return Ok(Acted::Done(None));
            }
            Act::Measure => {
                let folder = self.folders.data(app, name);
                return Ok(Acted::Done(spawn_blocking(move || measure(&folder)).await?));
            }
            Act::Copy(to, still) => return self.copy(of, to, &still).await,
            Act::Fetch(from) => return Ok(self.fetch(of, from).await),
            Act::Swap(kept) => return self.swap(of, kept).await,
            Act::IsFree => return self.is_free(of).await,
            Act::Release | Act::Discard => {
                if let Err(error) = self.engine.forget_volume(app, name).await {
                    tracing::debug!(%app, volume = %name, error = %chain(&error), "a volume stays yet");
                    return Ok(Acted::Waits);
                }
                if act == Act::Discard {
                    self.folders.discard(app, name)?;
                }
            }
            Act::DropSnapshot(number) => self.folders.discard_snapshot(app, name, number)?,
            Act::DropOutgoing => self.folders.discard_outgoing(app, name)?,
        }
        self.sweep();
        Ok(Acted::Done(None))
    }

    async fn turn(&self, (app, name): Of<'_>) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry((app.clone(), name.clone())).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Removes what was taken away, which nobody waits for.
    fn sweep(&self) {
        let folders = self.folders.clone();
        drop(spawn_blocking(move || {
            if let Err(error) = folders.sweep() {
                tracing::warn!(error = %chain(&error), "what is left of a volume stays");
            }
        }));
    }

    async fn copy(
        &self,
        of: Of<'_>,
        to: CopyTo,
        still: &BTreeSet<ContainerId>,
    ) -> Result<Acted, StewardError> {
        self.open(of)?;
        let copied = self.copied(of, to, still).await;
        // Whatever came of it, nobody is left standing; if that fails, it is all tried again.
        self.engine.thaw(still).await?;
        let settled = match copied? {
            Ok(copied) => settled(copied).await,
            Err(why) => Err(why),
        };
        Ok(match settled {
            Ok(folder) => Acted::Done(spawn_blocking(move || measure(&folder)).await?),
            Err(why) => Acted::Failed(why),
        })
    }

    /// Has these stand still, and copies the volume that they have; or says why not, for people.
    async fn copied(
        &self,
        (app, name): Of<'_>,
        to: CopyTo,
        still: &BTreeSet<ContainerId>,
    ) -> Result<Result<Copied, String>, StewardError> {
        let frozen = self.engine.freeze(still).await?;
        faults::point("volumes.frozen");
        let longest = if frozen.is_empty() { PATIENCE } else { STANDSTILL };
        let (folders, reserve) = (self.folders.clone(), self.reserve);
        let (of, volume) = (app.clone(), name.clone());
        let work = move |stop: &AtomicBool| match to {
            CopyTo::Snapshot(number) => folders.keep(&of, &volume, number, reserve, stop),
            CopyTo::Outgoing(at) => folders.ship(&of, &volume, at, reserve, stop),
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

    async fn fetch(&self, (app, name): Of<'_>, from: SnapshotNumber) -> Acted {
        let (folders, app, name) = (self.folders.clone(), app.clone(), name.clone());
        let reserve = self.reserve;
        let work = move |stop: &AtomicBool| folders.fetch(&app, &name, from, reserve, stop);
        let settled = match within(PATIENCE, work).await {
            Ok(copied) => settled(copied).await,
            Err(why) => Err(why),
        };
        settled.map_or_else(Acted::Failed, |_| Acted::Done(None))
    }

    async fn swap(&self, (app, name): Of<'_>, kept: SnapshotNumber) -> Result<Acted, StewardError> {
        // From here on to the end nobody is started who has it.
        let _turn = self.folders.turn().write().await;
        if !self.engine.is_free(app, name).await? {
            return Ok(Acted::Waits);
        }
        self.folders.put_by(app, name, kept)?;
        faults::point("volumes.put_by");
        self.folders.take_next(app, name)?;
        faults::point("volumes.swapped");
        Ok(Acted::Done(None))
    }

    async fn is_free(&self, (app, name): Of<'_>) -> Result<Acted, StewardError> {
        // Whoever is being started has been by then.
        let _turn = self.folders.turn().write().await;
        let free = self.engine.is_free(app, name).await?;
        Ok(if free { Acted::Done(None) } else { Acted::Waits })
    }
}

/// Copies, which blocks, and has it stopped after a time; or says why not, for people.
async fn within(
    longest: Duration,
    work: impl FnOnce(&AtomicBool) -> Result<Copied, CopyError> + Send + 'static,
) -> Result<Copied, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let mut work = spawn_blocking(move || work(&told));
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
    match spawn_blocking(move || copied.settle()).await {
        Ok(settled) => settled.map_err(|error| chain(&error)),
        Err(error) => Err(chain(&error)),
    }
}

/// The longest that an app stands still for a snapshot: visitors wait meanwhile.
const STANDSTILL: Duration = Duration::from_secs(20);
/// The longest copy that nobody waits for.
const PATIENCE: Duration = Duration::from_hours(6);

#[cfg(test)]
mod tests;
