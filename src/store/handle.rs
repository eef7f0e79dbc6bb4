//! The store as the rest of the house holds it: a cheap handle. Reads come from the image in
//! memory and never wait; writes go to the writer thread and return when the disk has them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot, watch};

use super::error::StoreError;
use super::export::{self, ExportError};
use super::exports::{Exports, Occasion};
use super::image::{Image, Snapshot};
use super::ledger::Ledger;
use super::schema::Schema;
use super::transaction::Transaction;
use super::writer::{Done, Fate, Message};

/// What a store is opened with.
#[derive(Debug)]
pub struct StoreOptions {
    /// Every record type this binary stores.
    pub schema: Schema,
    /// The time, for the name of an export made before a migration.
    pub now: SystemTime,
}

/// A handle to an open store. When the last one goes, the writer finishes and stops;
/// [`Store::close`] also waits for that.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::Sender<Message>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
}

/// What the handles and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) schema: Schema,
    pub(super) image: RwLock<Arc<Image>>,
    pub(super) changes: watch::Sender<u64>,
}

impl Store {
    /// Runs `work` on the writer thread, where it sees and changes records with nobody beside
    /// it, and returns its value once the changes are on the disk. If `work` fails, none of its
    /// changes happen. It must be quick and must not wait for anything: all other writers queue
    /// behind it.
    ///
    /// Dropping the future does not take back work that was handed over. When the queue is full
    /// (256 transactions), the call waits for a place.
    pub async fn transact<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work = move |transaction: &mut Transaction<'_>| {
            let result = work(transaction);
            let fate = if result.is_ok() { Fate::Keep } else { Fate::Discard };
            // A failed commit speaks before the work's own error: that may rest on what an
            // earlier transaction of the same commit has not achieved after all.
            let answer = move |commit: Result<(), StoreError>| {
                // A caller that has gone needs no answer.
                answer.send(commit.map_err(E::from).and(result)).ok();
            };
            Done { fate, answer: Box::new(answer) }
        };
        let sent = self.jobs.send(Message::Work(Box::new(work))).await;
        sent.map_err(|_| E::from(StoreError::Closed))?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Abandoned.into()))
    }

    /// The state as of the last commit. Costs next to nothing and never waits for the disk.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.shared.image())
    }

    /// The number of the last commit; it moves after each one, when snapshots show it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Writes the present state to `path` as text (see [`export`]). Blocks on the disk.
    pub fn export(&self, path: &Path, now: SystemTime) -> Result<(), ExportError> {
        export::write_image(path, &self.shared.image(), &self.shared.schema.versions(), now)
    }

    /// Writes an export to the store's own folder of them and removes the oldest beyond 24.
    /// For a task that calls it every hour and at each start: one that was made less than an hour
    /// ago is returned instead. Blocks on the disk. Returns the file.
    pub fn export_hourly(&self, now: SystemTime) -> Result<PathBuf, ExportError> {
        let exports = Exports::of_store(&self.shared.dir);
        let path = exports.prepare(Occasion::Hourly, now)?;
        if let Some(fresh) = exports.fresh(Occasion::Hourly, now)? {
            return Ok(fresh);
        }
        self.export(&path, now)?;
        exports.prune(Occasion::Hourly)?;
        Ok(path)
    }

    /// Waits until everything handed over is on the disk and the database is closed. Later
    /// transactions on other handles fail with [`StoreError::Closed`].
    pub async fn close(self) {
        let (closed, wait) = oneshot::channel();
        if self.jobs.send(Message::Close(closed)).await.is_ok() {
            // An error means that the writer has stopped already, which is what is waited for.
            wait.await.ok();
        }
    }
}

impl Shared {
    pub(super) fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the image, then tells who waits for it.
    pub(super) fn publish(&self, change: impl FnOnce(&mut Arc<Image>)) {
        let mut image = self.image.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut image);
        let sequence = image.sequence;
        drop(image);
        self.changes.send_replace(sequence);
    }
}

/// How many transactions may wait for the writer; more callers wait for a place.
pub(super) const QUEUE: usize = 256;
