//! A volume goes to another machine, with its snapshots: nobody has it meanwhile, and until all of it is there its home
//! is where it was. What takes long and can be done before is done before: the image goes there while the volume is used.
//!
//! If the daemon dies in it, it is begun anew. If it fails, whoever had the volume has it again where he had it. What is
//! left where it was is taken away afterwards, by the pass of volumes.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::StreamExt;
use tokio::time::sleep;

use super::{task::Backups, work::TransferError};
use crate::{
    clock,
    engine::Engine,
    faults,
    model::{
        App, ByteSize, EventKind, ImageId, NodeName, Release, Timestamp, Transfer, Volume,
        snapshot::{Job, Task},
    },
    node::{Act, Acted, Lading, Parcel, Room, Stocked},
    store::{StoreError, Transaction, View, diary, running, volumes},
};

impl<E: Engine> Backups<E> {
    /// Has a volume move as soon as whoever has it finds his image where it goes.
    pub(super) async fn prepare(
        &mut self,
        volume: &Volume,
        job: &Job,
        (to, since): (&NodeName, Timestamp),
    ) -> Result<(), StoreError> {
        let images = images(&self.store.snapshot(), volume)?;
        let node = Some(to).filter(|to| **to != self.here);
        let unfit = match self.homes.stocked(node, &images) {
            Stocked::Yes => None,
            Stocked::Never(why) => Some(why),
            Stocked::NotYet if clock::now().since(since) < IMAGE_WITHIN => {
                self.look_again_soon();
                return Ok(());
            }
            Stocked::NotYet => Some("the image did not get there within half an hour".to_owned()),
        };
        let (to, here) = (to.clone(), self.here.clone());
        self.settle(volume, job, move |tx, mut volume, job| match unfit {
            Some(why) => {
                let unfit = TransferError::Unfit { to: to.clone(), why };
                ended(tx, (volume, job), (&to, &here), Err(unfit))
            }
            None => {
                volume.job = Some(Job { task: Task::Move { to }, by: job.by.clone() });
                tx.put(&volume)
            }
        })
        .await
    }

    /// Has a volume, which is on that node or on this machine, move.
    pub(super) async fn relocate(
        &mut self,
        (volume, home): (&Volume, Option<&NodeName>),
        job: &Job,
        to: &NodeName,
    ) -> Result<(), StoreError> {
        let moved = match self.homes.act(home, (&volume.app, &volume.name), Act::IsFree).await {
            Ok(Acted::Waits) => {
                self.look_again_soon();
                return Ok(());
            }
            Ok(_) => {
                let carried = self.carried((volume, home), to);
                let stop = self.stop.clone();
                tokio::select! {
                    biased;
                    // The next daemon begins it anew.
                    () = stop.cancelled() => return Ok(()),
                    carried = carried => carried,
                }
            }
            Err(error) => Err(error.into()),
        };
        self.transfers.send_replace(None);
        faults::point("volumes.carried");
        let (to, here) = (to.clone(), self.here.clone());
        self.settle(volume, job, move |tx, volume, job| {
            ended(tx, (volume, job), (&to, &here), moved)
        })
        .await
    }

    fn look_again_soon(&mut self) {
        let again = clock::now().plus(AGAIN);
        self.memory.look_again = self.memory.look_again.into_iter().chain([again]).min();
    }

    async fn carried(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        to: &NodeName,
    ) -> Result<(), TransferError> {
        let of = (&volume.app, &volume.name);
        let Lading { expected, pieces } = self.homes.give(home, of, Parcel::Whole).await?;
        let (transfers, app, name) =
            (self.transfers.clone(), volume.app.clone(), volume.name.clone());
        let so_far = Arc::new(AtomicU64::new(0));
        let counted = so_far.clone();
        let told = pieces.inspect(move |piece| {
            let more = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            let done = counted.fetch_add(more, Relaxed) + more;
            let (app, volume) = (app.clone(), name.clone());
            let transfer = Transfer { app, volume, done: ByteSize(done), of: expected };
            transfers.send_replace(Some(transfer));
        });
        let to = Some(to).filter(|to| **to != self.here);
        tokio::select! {
            taken = self.homes.take(to, of, Room::Whole, told.boxed()) => Ok(taken?),
            () = stalled(&so_far) => Err(TransferError::Stalled),
        }
    }
}

/// What whoever has a volume is started of, as things are.
fn images(view: &impl View, volume: &Volume) -> Result<BTreeSet<ImageId>, StoreError> {
    let app = view.get::<App>(&volume.app.as_str().to_owned())?;
    let serves = app.map_or(Ok(None), |app| running::serving(view, &app))?;
    let has_it = |release: &Release| {
        release.processes.values().any(|process| process.volumes.contains_key(&volume.name))
    };
    Ok(serves.filter(has_it).map(|release| release.image).into_iter().collect())
}

/// Waits until nothing goes by any more.
async fn stalled(so_far: &AtomicU64) {
    let mut before = None;
    loop {
        let now = so_far.load(Relaxed);
        if before.replace(now) == Some(now) {
            return;
        }
        sleep(STALLS).await;
    }
}

fn ended(
    tx: &mut Transaction<'_>,
    (mut volume, job): (Volume, &Job),
    (to, here): (&NodeName, &NodeName),
    moved: Result<(), TransferError>,
) -> Result<(), StoreError> {
    let (app, name) = (volume.app.clone(), volume.name.clone());
    volume.job = None;
    let text = match moved {
        Ok(()) => {
            let volume = volumes::moved(tx, volume, to, here)?;
            format!("the volume {} is on {to} now", volume.name)
        }
        Err(error) => {
            let why = error.words();
            let text = format!("volume {name}: {} failed: {why}", job.task.words());
            volume.failure = Some(why);
            tx.put(&volume)?;
            text
        }
    };
    diary::write(tx, &app, EventKind::Volume, text, &job.by, clock::now())
}

/// So long nobody waits for the next piece, nor for a disk to have written all of them.
const STALLS: Duration = Duration::from_mins(30);
/// For the image to get there; nobody misses anything meanwhile.
const IMAGE_WITHIN: Duration = Duration::from_mins(30);
/// Between two looks whether somebody still has it, or whether the image is there.
const AGAIN: Duration = Duration::from_millis(100);
