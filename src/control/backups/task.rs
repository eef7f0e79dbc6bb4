//! The pass: what is due is begun, what is to be sent, fetched or moved is.
//!
//! One transfer at a time: a place is not made faster by two, and a machine that is slow is not made slower.

use std::time::Duration;

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::plan::{Due, due};
use crate::{
    backup::Depot,
    clock,
    control::task::Task,
    engine::Engine,
    model::{Actor, App, NodeName, Timestamp, Transfer, Volume},
    node::Homes,
    store::{Store, StoreError, Transaction, View, backups, volumes},
    telemetry::chain,
};

/// The task that looks after backups, and after volumes that move.
#[derive(Debug)]
pub struct Backups<E> {
    /// The records.
    pub store: Store,
    /// The place, and the keys.
    pub depot: Depot,
    /// Wherever volumes are.
    pub homes: Homes<E>,
    /// What this machine is called.
    pub here: NodeName,
    /// Where it is published how far a transfer is.
    pub transfers: watch::Sender<Option<Transfer>>,
    /// Moves with every commit.
    pub commits: watch::Receiver<u64>,
    /// Said when the daemon is to end; what is under way is begun anew by the next one.
    pub stop: CancellationToken,
    /// What a pass remembers for the next one.
    pub memory: Memory,
}

/// What a pass remembers for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    /// What was on record when it last looked.
    known: Vec<Volume>,
    /// When something is due although nothing may have changed by then.
    pub(super) look_again: Option<Timestamp>,
}

impl<E: Engine> Task for Backups<E> {
    const NAME: &'static str = "backups";
    type Error = StoreError;

    async fn wait(&mut self) {
        // Nothing tells when the clock is set; a nap is cheap where there are schedules.
        let again = self.memory.look_again.map(|at| at.since(clock::now()).min(NAP));
        let period = sleep(again.unwrap_or(LONG_NAP));
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

    async fn pass(&mut self) -> Result<(), StoreError> {
        self.commits.mark_unchanged();
        self.memory.look_again = None;
        self.memory.known = self.store.snapshot().scan::<Volume>(&())?;
        for volume in self.memory.known.clone() {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let home = volumes::home(&self.store.snapshot(), &volume, &self.here)?;
            let Ok(home) = home else { continue };
            match &volume.job {
                _ if volume.destroyed_at.is_some() || volume.home.is_none() => {}
                Some(job) if job.task.transfers() => {
                    self.transfer((&volume, home.as_ref()), job).await?;
                }
                Some(_) => {}
                None => self.keep_time(volume, clock::now()).await?,
            }
        }
        Ok(())
    }
}

impl<E: Engine> Backups<E> {
    /// Begins what is due.
    async fn keep_time(&mut self, volume: Volume, now: Timestamp) -> Result<(), StoreError> {
        let due = match due(&volume.backups, now) {
            Due::Never => return Ok(()),
            Due::At(next) => {
                self.memory.look_again = self.memory.look_again.into_iter().chain([next]).min();
                return Ok(());
            }
            due @ (Due::Now | Due::Again) => due,
        };
        let nowhere = self.depot.place().err().map(|error| match error.hint() {
            Some(hint) => format!("{}; {hint}", chain(&error)),
            None => chain(&error),
        });
        self.store.transact(move |tx| begin(tx, volume, due, nowhere, now)).await
    }
}

/// Begins a backup, unless something changed since it was found to be due. Nobody stands still for one
/// that has nowhere to go.
fn begin(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    due: Due,
    nowhere: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let app = tx.get::<App>(&volume.app.as_str().to_owned())?;
    let found = tx.get::<Volume>(&volumes::key(&volume.app, &volume.name))?;
    if app.is_none() || found.as_ref() != Some(&volume) {
        return Ok(());
    }
    let state = &mut volume.backups;
    state.again_at = None;
    if due == Due::Now {
        (state.seen, state.failures) = (Some(now), 0);
    }
    if app.is_some_and(|app| app.destroyed_at.is_some()) {
        return tx.put(&volume);
    }
    match nowhere {
        Some(why) => backups::failed(tx, volume, &Actor::platform(), &why, now),
        None => backups::begin(tx, volume, &Actor::platform(), now).map(drop),
    }
}

/// Between two looks at the clock where something is due later.
const NAP: Duration = Duration::from_secs(30);
/// The same where nothing is.
const LONG_NAP: Duration = Duration::from_mins(10);
