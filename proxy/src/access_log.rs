//! One record per request, handed over in batches.
//!
//! It writes no file and no format: that is the reader's business. Records wait in their worker and
//! cross threads a batch at a time, because waking another thread for every request costs more than
//! the request. When the reader is too slow, records are dropped and counted; requests never wait.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc};

use crate::meter::Ledger;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::table::{ServiceName, UpstreamId};

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Record {
    /// When its head had arrived.
    pub at: SystemTime,
    /// Who asked: the TCP peer.
    pub client: SocketAddr,
    /// Empty if the head was not understood; so are `host` and `path`.
    pub method: Box<str>,
    /// The host in its canonical spelling.
    pub host: Box<str>,
    /// Path and query, as sent.
    pub path: Box<str>,
    /// The id in `X-Request-Id`, on both sides.
    pub request_id: Box<str>,
    /// Who was routed to, if anybody.
    pub service: Option<ServiceName>,
    /// The last upstream tried.
    pub upstream: Option<UpstreamId>,
    /// The status the client was sent; `None` if it got no answer.
    pub status: Option<u16>,
    /// Body bytes received, without framing.
    pub received: u64,
    /// Body bytes sent by the upstream and passed on, without framing; in a tunnel, all of them.
    pub sent: u64,
    /// Time held while the service had no upstream.
    pub held: Duration,
    /// Time until an upstream connection was ready, retries included.
    pub connected: Option<Duration>,
    /// Time until the head of the answer had arrived.
    pub first_byte: Option<Duration>,
    /// Time until all was done.
    pub total: Duration,
    /// How often it was sent again.
    pub retries: u32,
    /// Why the edge answered in the upstream's place.
    pub refusal: Option<Box<str>>,
    /// Why the exchange ended before its end.
    pub abort: Option<Abort>,
}

impl Record {
    /// Of a request whose head is not understood yet.
    pub(crate) fn begun(at: SystemTime, client: SocketAddr) -> Self {
        Self {
            at,
            client,
            method: Box::default(),
            host: Box::default(),
            path: Box::default(),
            request_id: Box::default(),
            service: None,
            upstream: None,
            status: None,
            received: 0,
            sent: 0,
            held: Duration::ZERO,
            connected: None,
            first_byte: None,
            total: Duration::ZERO,
            retries: 0,
            refusal: None,
            abort: None,
        }
    }

    /// Notes what was asked for.
    pub(crate) fn understood(&mut self, request: &Request) {
        self.method.clone_from(&request.method);
        self.path.clone_from(&request.path);
        self.host = request.host.as_str().into();
    }

    /// Notes that the edge answered itself.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.status = Some(refusal.status());
        self.refusal = Some(refusal.words().title.into_boxed_str());
    }
}

/// Why an exchange ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The client closed or reset its connection.
    ClientGone,
    /// The client's body turned out to be malformed while the answer was on its way.
    ClientMalformed,
    /// The client sent or took no byte for too long.
    ClientStalled,
    /// The upstream closed or reset its connection in the middle of the answer.
    UpstreamClosed,
    /// The upstream's answer turned out to be malformed after its head.
    UpstreamMalformed,
    /// The upstream sent no byte for too long.
    UpstreamStalled,
    /// A tunnel was silent for too long.
    TunnelIdle,
}

/// The writing end, given to [`crate::Edge::bind`].
#[derive(Debug, Clone)]
pub struct AccessLog(mpsc::Sender<Vec<Record>>);

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
    (AccessLog(sender), Records(receiver))
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

    pub(crate) fn push(&self, record: Record) {
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
        match self.out.0.try_reserve() {
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

    fn record(path: &str) -> Record {
        Record {
            at: UNIX_EPOCH,
            client: "192.0.2.1:1".parse().unwrap(),
            method: "GET".into(),
            host: "a".into(),
            path: path.into(),
            request_id: "r".into(),
            service: None,
            upstream: None,
            status: Some(200),
            received: 0,
            sent: 0,
            held: Duration::ZERO,
            connected: None,
            first_byte: None,
            total: Duration::ZERO,
            retries: 0,
            refusal: None,
            abort: None,
        }
    }

    #[tokio::test]
    async fn records_beyond_the_bound_are_dropped_and_counted() {
        let (out, mut records) = access_log();
        let ledger = Arc::new(Ledger::new(watch::Sender::new(())));
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
