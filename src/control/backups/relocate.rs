//! A volume goes to another machine, with its snapshots: nobody has it meanwhile, and until all of it is there its home
//! is where it was.
//!
//! If the daemon dies in it, it is begun anew. If it fails, whoever had the volume has it again where he had it. What is
//! left where it was is taken away afterwards, by the pass of volumes.

use std::time::Duration;

use futures_util::StreamExt;

use super::{task::Backups, work::TransferError};
use crate::{
    clock,
    engine::Engine,
    faults,
    model::{ByteSize, EventKind, NodeName, Transfer, Volume, snapshot::Job},
    node::{Act, Acted, Lading, Parcel, Room},
    store::{StoreError, Transaction, diary, volumes},
};

impl<E: Engine> Backups<E> {
    /// Has a volume, which is on that node or on this machine, move.
    pub(super) async fn relocate(
        &mut self,
        (volume, home): (&Volume, Option<&NodeName>),
        job: &Job,
        to: &NodeName,
    ) -> Result<(), StoreError> {
        let moved = match self.homes.act(home, (&volume.app, &volume.name), Act::IsFree).await {
            Ok(Acted::Waits) => {
                let again = clock::now().plus(AGAIN);
                self.memory.look_again = self.memory.look_again.into_iter().chain([again]).min();
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

    async fn carried(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        to: &NodeName,
    ) -> Result<(), TransferError> {
        let of = (&volume.app, &volume.name);
        let Lading { expected, pieces } = self.homes.give(home, of, Parcel::Whole).await?;
        let (transfers, app, name) =
            (self.transfers.clone(), volume.app.clone(), volume.name.clone());
        let mut done = 0;
        let told = pieces.inspect(move |piece| {
            done += piece.as_ref().map_or(0, |piece| piece.len() as u64);
            let (app, volume) = (app.clone(), name.clone());
            let so_far = Transfer { app, volume, done: ByteSize(done), of: expected };
            transfers.send_replace(Some(so_far));
        });
        let to = Some(to).filter(|to| **to != self.here);
        Ok(self.homes.take(to, of, Room::Whole, told.boxed()).await?)
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

/// Between two looks whether somebody still has it.
const AGAIN: Duration = Duration::from_millis(100);
