//! One record per request, handed over in batches.
//!
//! It writes no file and no format: that is the reader's business. Of ordinary requests a share can
//! be recorded; those that failed always are. Records wait in their worker and
//! cross threads a batch at a time, because waking another thread for every request costs more than
//! the request. When the reader is too slow, records are dropped and counted; requests never wait.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::ledger::Ledger;
use crate::record::Record;

/// The writing end, given to [`crate::Edge::bind`].
#[derive(Debug, Clone)]
pub struct AccessLog {
    batches: mpsc::Sender<Vec<Record>>,
    sample: u32,
}

/// The reading end.
#[derive(Debug)]
pub struct Records(mpsc::Receiver<Vec<Record>>);

/// Batches on their way; the records that wait for room are bounded by `Limits::records`.
const BATCHES: usize = 16;
/// Records that are sent without waiting for more.
const BATCH: usize = 256;
/// How long a record waits for company.
const LINGER: Duration = Duration::from_millis(100);

/// A log and its reader. Dropping the reader turns the log off.
pub fn access_log() -> (AccessLog, Records) {
    let (sender, receiver) = mpsc::channel(BATCHES);
    (AccessLog { batches: sender, sample: ALL }, Records(receiver))
}

/// A sample of this many is everything.
const ALL: u32 = 1_000_000;

impl AccessLog {
    /// The same log with so many of a million ordinary requests, chosen by chance. Requests that
    /// failed (no answer, a broken one, or a status of 500 and above) are recorded all the same.
    #[must_use]
    pub fn sampled(self, of_a_million: u32) -> Self {
        Self { sample: of_a_million, ..self }
    }
}

impl Records {
    /// The next batch, oldest first within a worker; `None` once the edge is gone.
    pub async fn next(&mut self) -> Option<Vec<Record>> {
        self.0.recv().await
    }
}

/// One worker's part of the log.
#[derive(Debug)]
pub(crate) struct Log {
    out: AccessLog,
    waiting: RefCell<Vec<Record>>,
    most: usize,
    ledger: Arc<Ledger>,
    first: Notify,
}

impl Log {
    pub(crate) fn new(out: AccessLog, most: usize, ledger: Arc<Ledger>) -> Self {
        Self { out, waiting: RefCell::default(), most, ledger, first: Notify::new() }
    }

    /// Whether anybody reads it.
    pub(crate) fn is_read(&self) -> bool {
        !self.out.batches.is_closed()
    }

    pub(crate) fn push(&self, record: Record) {
        let all = self.out.sample >= ALL;
        if !all && !record.is_remarkable() && fastrand::u32(..ALL) >= self.out.sample {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= self.most {
            self.ledger.records_dropped.fetch_add(1, Relaxed);
            return;
        }
        waiting.push(record);
        match waiting.len() {
            1 => self.first.notify_one(),
            length if length % BATCH == 0 => {
                drop(waiting);
                self.send();
            }
            _ => {}
        }
    }

    /// Hands over what waits, if there is room; otherwise it goes on waiting.
    pub(crate) fn send(&self) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return;
        }
        match self.out.batches.try_reserve() {
            Ok(place) => place.send(std::mem::take(&mut *waiting)),
            Err(mpsc::error::TrySendError::Closed(())) => waiting.clear(),
            Err(mpsc::error::TrySendError::Full(())) => {}
        }
    }

    /// Hands over records that found no company, for as long as it is polled.
    pub(crate) async fn run(&self) {
        loop {
            self.first.notified().await;
            while !self.waiting.borrow().is_empty() {
                tokio::time::sleep(LINGER).await;
                self.send();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tokio::sync::watch;

    use super::*;
    use crate::record::Abort;

    fn record(path: &str) -> Record {
        let begun = Record::new(UNIX_EPOCH, "192.0.2.1:1".parse().unwrap());
        Record { path: path.into(), status: Some(200), ..begun }
    }

    #[tokio::test]
    async fn of_ordinary_requests_a_sample_is_recorded_and_of_failed_ones_all() {
        let (out, mut records) = access_log();
        let ledger = Arc::new(Ledger::new(watch::Sender::new(()), 1));
        let log = Log::new(out.sampled(100_000), 10_000, ledger);
        for _ in 0..2_000 {
            log.push(record("ordinary"));
        }
        for _ in 0..50 {
            log.push(Record { status: Some(503), ..record("failed") });
            log.push(Record { abort: Some(Abort::ClientGone), ..record("failed") });
        }
        log.send();
        let mut paths = Vec::new();
        while let Ok(batch) = records.0.try_recv() {
            paths.extend(batch.into_iter().map(|record| record.path));
        }
        let failed = paths.iter().filter(|path| &***path == "failed").count();
        assert_eq!(failed, 100);
        assert!((100..350).contains(&(paths.len() - failed)), "{} of 2000", paths.len() - failed);
    }

    #[tokio::test]
    async fn records_beyond_the_bound_are_dropped_and_counted() {
        let (out, mut records) = access_log();
        let ledger = Arc::new(Ledger::new(watch::Sender::new(()), 1));
        let log = Log::new(out, 2, Arc::clone(&ledger));
        // The channel is full before the first of these two finds room to wait.
        for _ in 0..BATCHES {
            log.push(record("early"));
            log.send();
        }
        for path in ["one", "two", "three"] {
            log.push(record(path));
            log.send();
        }
        assert_eq!(ledger.records_dropped.load(Relaxed), 1);
        for _ in 0..BATCHES {
            assert_eq!(records.next().await.unwrap().len(), 1);
        }
        log.send();
        let late = records.next().await.unwrap();
        let paths: Vec<&str> = late.iter().map(|record| &*record.path).collect();
        assert_eq!(paths, ["one", "two"]);
    }
}
