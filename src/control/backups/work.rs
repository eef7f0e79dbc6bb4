//! What goes to the place and what comes from there. Either is begun anew if the daemon died in it: what has
//! its name is whole, there and here.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::task::Backups;
use crate::{
    backup::{BackupError, Shipment, Watch},
    clock,
    engine::Engine,
    faults,
    model::{
        AppName, Backup, BackupNumber, ByteSize, EventKind, NodeName, RestoreSource, Timestamp,
        Transfer, Volume,
        snapshot::{Job, Task},
    },
    node::{Act, HomesError, Lading, Parcel, PieceWriter, Room, pieces},
    store::{StoreError, Transaction, View, backups, diary, volumes},
    telemetry::chain,
};

/// Why a transfer came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    /// The place, or what is there.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Where the volume is.
    #[error(transparent)]
    Home(#[from] HomesError),
    /// What was to be restored.
    #[error("there is no backup {0} any more")]
    Gone(BackupNumber),
    /// The work itself.
    #[error("the work ended early")]
    Lost(#[from] tokio::task::JoinError),
    /// It never ended.
    #[error("it takes longer than a day")]
    Slow,
    /// It does not go on.
    #[error("nothing has come through for half an hour")]
    Stalled,
    /// Whoever has the volume could not be started on the machine that was to be its home.
    #[error("nobody can be started on {to}: {why}")]
    Unfit {
        /// The machine.
        to: NodeName,
        /// What it lacks.
        why: String,
    },
}

impl TransferError {
    pub(super) fn words(&self) -> String {
        let hint = match self {
            Self::Backup(error) => error.hint(),
            Self::Home(_)
            | Self::Gone(_)
            | Self::Lost(_)
            | Self::Slow
            | Self::Stalled
            | Self::Unfit { .. } => None,
        };
        hint.map_or_else(|| chain(self), |hint| format!("{}; {hint}", chain(self)))
    }
}

impl<E: Engine> Backups<E> {
    /// Does what a job wants of the place, or of another machine.
    pub(super) async fn transfer(
        &mut self,
        (volume, home): (&Volume, Option<&NodeName>),
        job: &Job,
    ) -> Result<(), StoreError> {
        match &job.task {
            Task::Upload { at, begun } => self.upload((volume, home), job, (*at, *begun)).await,
            Task::Fetch { from: RestoreSource::Backup { backup, of }, .. } => {
                let app = of.clone().unwrap_or_else(|| volume.app.clone());
                let from = (app, *backup);
                let Some(fetched) = self.fetch((volume, home), from).await else { return Ok(()) };
                faults::point("backups.fetched");
                self.settle(volume, job, move |tx, volume, job| {
                    fetch_ended(tx, volume, job, fetched)
                })
                .await
            }
            Task::Prepare { to, since } => self.prepare(volume, job, (to, *since)).await,
            Task::Move { to } => self.relocate((volume, home), job, to).await,
            Task::Fetch { from: RestoreSource::Snapshot(_), .. }
            | Task::Snapshot { .. }
            | Task::Backup { .. }
            | Task::Swap { .. } => Ok(()),
        }
    }

    /// Has a backup taken in where the volume is. `None` if it was cut.
    async fn fetch(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        (app, number): (AppName, BackupNumber),
    ) -> Option<Result<(), TransferError>> {
        let (mut writer, tar) = pieces();
        let taken = self.homes.take(home, (&volume.app, &volume.name), Room::Next, tar);
        let (depot, name) = (self.depot.clone(), volume.name.clone());
        let fetched = self.blocking(volume, None, move |watch| {
            let found = depot.find(&app, &name, number)?;
            let found = found.ok_or(TransferError::Gone(number))?;
            depot.fetch(&found, |tar| passed_on(tar, &mut writer), watch)?;
            writer.end();
            Ok(())
        });
        let (taken, fetched) = tokio::join!(taken, fetched);
        Some(match fetched? {
            // Whoever takes it may be why it could not be passed on.
            Err(TransferError::Backup(BackupError::Entry { .. })) | Ok(()) => {
                taken.map_err(TransferError::from)
            }
            failed => failed,
        })
    }

    async fn upload(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        job: &Job,
        (at, begun): (Timestamp, u32),
    ) -> Result<(), StoreError> {
        let again = Job { task: Task::Upload { at, begun: begun + 1 }, by: job.by.clone() };
        let counted = again.clone();
        let count = move |tx: &mut Transaction<'_>, mut volume: Volume, _: &Job| {
            volume.job = Some(counted);
            tx.put(&volume)
        };
        self.settle(volume, job, count).await?;
        let sent = if begun < MOST_BEGUN {
            self.send((volume, home), job, at).await
        } else {
            Some(Err("the server ended each time that it was sent".to_owned()))
        };
        let Some(sent) = sent else {
            // It was told to end, and nothing is wrong with the backup: that does not count.
            let job = job.clone();
            let uncount = move |tx: &mut Transaction<'_>, mut volume: Volume, _: &Job| {
                volume.job = Some(job);
                tx.put(&volume)
            };
            return self.settle(volume, &again, uncount).await;
        };
        let (app, name) = (&volume.app, &volume.name);
        if let Err(error) = self.homes.act(home, (app, name), Act::DropOutgoing).await {
            tracing::warn!(%app, volume = %name, error = %chain(&error), "a copy is left");
        }
        self.settle(volume, &again, move |tx, volume, job| match sent {
            Ok((backup, more)) => backups::made(tx, volume, &backup, &more, clock::now()),
            Err(why) => backups::failed(tx, volume, &job.by, &why, clock::now()),
        })
        .await
    }

    /// Sends the copy and lets old backups go; the backup, and what else is to be told. `None` if it was
    /// cut.
    async fn send(
        &self,
        (volume, home): (&Volume, Option<&NodeName>),
        job: &Job,
        at: Timestamp,
    ) -> Option<Result<(Backup, String), String>> {
        let of = (&volume.app, &volume.name);
        let Lading { expected, pieces } =
            match self.homes.give(home, of, Parcel::Outgoing(at)).await {
                Ok(lading) => lading,
                Err(error) => return Some(Err(chain(&error))),
            };
        let shipment = Shipment {
            app: volume.app.clone(),
            volume: volume.name.clone(),
            at,
            by: job.by.clone(),
            expected: expected.unwrap_or_default(),
        };
        let (depot, keep) = (self.depot.clone(), volume.backups.keep);
        let mut tar = SyncIoBridge::new_with_handle(StreamReader::new(pieces), Handle::current());
        let sent = self.blocking(volume, expected, move |watch| {
            let first = depot.keys().are_unmade();
            let packed = |out: &mut dyn Write| match io::copy(&mut tar, out) {
                Ok(_) => Ok(()),
                Err(source) => Err(broken("sent", source)),
            };
            let backup = depot.send(&shipment, packed, watch)?;
            let pruned = depot.prune(&shipment.app, &shipment.volume, keep);
            Ok((backup, first, pruned))
        });
        Some(match sent.await? {
            Ok((backup, first, pruned)) => {
                let gone = |old: &BackupNumber| format!("; {old} is gone");
                let mut more = match pruned {
                    Ok(old) => old.iter().map(gone).collect::<Vec<_>>().concat(),
                    Err(error) => format!("; older ones stay: {}", chain(&error)),
                };
                if first {
                    more.push_str(KEEP_THE_KEY);
                }
                Ok((backup, more))
            }
            Err(error) => Err(error.words()),
        })
    }

    /// Does what blocks and shows how far it is. `None` if it was stopped, because the daemon is to end.
    async fn blocking<T: Send + 'static>(
        &self,
        volume: &Volume,
        of: Option<ByteSize>,
        work: impl FnOnce(Watch<'_>) -> Result<T, TransferError> + Send + 'static,
    ) -> Option<Result<T, TransferError>> {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, published) = (Told(stop.clone()), self.transfers.clone());
        let (app, name) = (volume.app.clone(), volume.name.clone());
        let mut work = tokio::task::spawn_blocking(move || {
            let mut told = |done: ByteSize| {
                let (app, volume) = (app.clone(), name.clone());
                published.send_replace(Some(Transfer { app, volume, done, of }));
            };
            told(ByteSize(0));
            work(Watch { told: &mut told, stop: &stop })
        });
        let done = tokio::select! {
            done = &mut work => Some(done),
            () = self.stop.cancelled() => None,
            () = sleep(PATIENCE) => None,
        };
        let done = match done {
            Some(done) => Some(done),
            None => {
                told.now();
                // Only what ended before it saw that it is to stop has something to say.
                match work.await {
                    Ok(Err(TransferError::Backup(BackupError::Stopped))) => None,
                    done => Some(done),
                }
            }
        };
        self.transfers.send_replace(None);
        match done {
            Some(done) => Some(done.unwrap_or_else(|error| Err(error.into()))),
            None if self.stop.is_cancelled() => None,
            None => Some(Err(TransferError::Slow)),
        }
    }

    /// Records how a job goes on or ends, unless it is another one by now.
    pub(super) async fn settle(
        &self,
        volume: &Volume,
        job: &Job,
        record: impl FnOnce(&mut Transaction<'_>, Volume, &Job) -> Result<(), StoreError>
        + Send
        + 'static,
    ) -> Result<(), StoreError> {
        let (key, job) = (volumes::key(&volume.app, &volume.name), job.clone());
        self.store
            .transact(move |tx| {
                let found = tx.get::<Volume>(&key)?;
                match found.filter(|volume| volume.job.as_ref() == Some(&job)) {
                    Some(volume) => record(tx, volume, &job),
                    None => Ok(()),
                }
            })
            .await
    }
}

/// Passes a tar on, a piece at a time.
fn passed_on(tar: &mut dyn Read, to: &mut PieceWriter) -> Result<(), BackupError> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = tar.read(&mut piece);
        let read = read.map_err(|error| BackupError::Damaged { reason: chain(&error) })?;
        if read == 0 {
            return Ok(());
        }
        let piece = piece.get(..read).unwrap_or_default();
        to.write_all(piece).map_err(|error| broken("taken in", error))?;
    }
}

fn broken(operation: &'static str, source: io::Error) -> BackupError {
    BackupError::Entry { operation, name: "the volume".to_owned(), source }
}

/// Tells the work to stop, at the latest when nobody waits for it any more.
struct Told(Arc<AtomicBool>);

impl Told {
    fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.now();
    }
}

fn fetch_ended(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    job: &Job,
    fetched: Result<(), TransferError>,
) -> Result<(), StoreError> {
    let Task::Fetch { from, kept } = job.task.clone() else { return Ok(()) };
    let Err(error) = fetched else {
        volume.job = Some(Job { task: Task::Swap { from, kept }, by: job.by.clone() });
        return tx.put(&volume);
    };
    let why = error.words();
    let text = format!("volume {}: {} failed: {why}", volume.name, job.task.words());
    (volume.job, volume.failure) = (None, Some(why));
    tx.put(&volume)?;
    diary::write(tx, &volume.app, EventKind::Volume, text, &job.by, clock::now())
}

/// So often a daemon that died in it begins it anew.
const MOST_BEGUN: u32 = 3;
/// The longest that a transfer is waited for.
const PATIENCE: Duration = Duration::from_hours(24);
/// Of a tar, in bytes.
const PIECE: usize = 64 << 10;
const KEEP_THE_KEY: &str = "; the key of all backups was made: keep a copy of what `paas backups key` \
                            shows elsewhere, without it nobody reads them";
