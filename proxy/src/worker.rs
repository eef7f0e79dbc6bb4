//! One thread of the edge: a runtime, a view of the table, its own connection pools, its own part
//! of the access log.
//!
//! Nothing that is touched on every request is shared with another thread but counters. The
//! invariant: a table is applied between two steps of a request, never during one, and the worker
//! says so only after it routes by it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access_log::{AccessLog, Log};
use crate::arrival::{Arrival, Trust};
use crate::certificates::Certificates;
use crate::connection;
use crate::control::Persistence;
use crate::limits::Limits;
use crate::listener::{self, Incoming};
use crate::meter::Ledger;
use crate::network::Network;
use crate::request::Request;
use crate::retry::Budget;
use crate::table::Table;
use crate::view::View;

/// What all workers of an edge share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) trusted: Vec<Network>,
    pub(crate) clock: fn() -> SystemTime,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) budget: Arc<Budget>,
    /// One permit per client connection.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) desks: Vec<Desk>,
    /// No more connections and no more requests.
    pub(crate) stopping: CancellationToken,
    /// The deadline has passed.
    pub(crate) cutting: CancellationToken,
}

/// What other threads may see of a worker.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Client connections, counted from the moment they are assigned.
    pub(crate) open: AtomicUsize,
    /// One more than the generation routed by; 0 before the first.
    applied: AtomicU64,
    /// Connections accepted elsewhere. Bounded by `places`.
    pub(crate) inbox: mpsc::UnboundedSender<Incoming>,
}

impl Desk {
    pub(crate) fn new(inbox: mpsc::UnboundedSender<Incoming>) -> Self {
        Self { open: AtomicUsize::new(0), applied: AtomicU64::new(0), inbox }
    }

    pub(crate) fn applied(&self) -> Option<u64> {
        self.applied.load(SeqCst).checked_sub(1)
    }
}

/// What one worker needs to begin.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Incoming>,
    pub(crate) table: watch::Receiver<Arc<Table>>,
    pub(crate) certificates: watch::Receiver<Arc<Certificates>>,
    pub(crate) access_log: AccessLog,
    /// Where it says, once, that it serves.
    pub(crate) ready: std::sync::mpsc::Sender<io::Result<()>>,
}

/// One worker, as its tasks see it.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Log,
    /// Wakes held requests when another table was applied.
    pub(crate) changed: Notify,
    view: RefCell<Rc<View>>,
    certificates: watch::Receiver<Arc<Certificates>>,
    tasks: TaskTracker,
    stop: Arc<Notify>,
    stopping: Cell<bool>,
}

/// Runs a worker on the current thread until the edge stops. Returns how many connections it cut.
pub(crate) fn run(beginning: Beginning) -> usize {
    let ready = beginning.ready.clone();
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let lived = runtime.and_then(|runtime| runtime.block_on(live(beginning)));
    lived.unwrap_or_else(|error| {
        // It failed before it served anybody, so whoever bound the edge still listens.
        let _ = ready.send(Err(error));
        0
    })
}

async fn live(beginning: Beginning) -> io::Result<usize> {
    let Beginning { index, shared, listeners, inbox, mut table, certificates, access_log, ready } =
        beginning;
    let log = Log::new(access_log, shared.limits.records, Arc::clone(&shared.ledger));
    let worker = Rc::new(Worker {
        index,
        log,
        changed: Notify::new(),
        view: RefCell::default(),
        certificates,
        tasks: TaskTracker::new(),
        stop: Arc::new(Notify::new()),
        stopping: Cell::new(false),
        shared,
    });
    // Before anything is accepted: an early request must not find an empty table.
    worker.apply(&table.borrow_and_update());
    let accepting = TaskTracker::new();
    for listener in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.spawn_local(listener::accept(listener, Rc::clone(&worker)));
    }
    accepting.close();
    let upkeep = [
        tokio::task::spawn_local(Rc::clone(&worker).follow(table)),
        tokio::task::spawn_local(listener::receive(inbox, Rc::clone(&worker))),
        tokio::task::spawn_local(Rc::clone(&worker).sweep()),
        tokio::task::spawn_local({
            let worker = Rc::clone(&worker);
            async move { worker.log.run().await }
        }),
    ];
    // The receiver is gone only if another worker could not begin; then all of them stop.
    let _ = ready.send(Ok(()));
    worker.shared.stopping.cancelled().await;
    worker.stopping.set(true);
    accepting.wait().await;
    worker.stop.notify_waiters();
    worker.tasks.close();
    tokio::select! {
        biased;
        () = worker.tasks.wait() => {}
        () = worker.shared.cutting.cancelled() => {}
    }
    let cut = worker.tasks.len();
    for task in upkeep {
        task.abort();
    }
    worker.log.send();
    Ok(cut)
}

impl Worker {
    /// What to route by now. Not to be kept across an await.
    pub(crate) fn view(&self) -> Rc<View> {
        Rc::clone(&self.view.borrow())
    }

    /// What to present and to prove now.
    pub(crate) fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates.borrow())
    }

    /// Begins to serve a connection that was assigned to this worker.
    pub(crate) fn serve(self: &Rc<Self>, incoming: Tenancy<TcpStream>) {
        let worker = Rc::clone(self);
        self.tasks.spawn_local(async move {
            let Tenancy { stream, arrival, place } = incoming;
            connection::serve(stream, arrival, Rc::clone(&worker)).await;
            worker.desk(|desk| desk.open.fetch_sub(1, Relaxed));
            drop(place);
        });
    }

    pub(crate) fn trust(&self, peer: std::net::IpAddr) -> Trust {
        let trusted = self.shared.trusted.iter().any(|network| network.contains(peer));
        if trusted { Trust::Trusted } else { Trust::Stranger }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Ready once the edge stops.
    pub(crate) fn stop_notice(&self) -> OwnedNotified {
        Arc::clone(&self.stop).notified_owned()
    }

    /// Whether the client connection may live on after this request.
    pub(crate) fn persistence_after(&self, request: &Request) -> Persistence {
        if self.is_stopping() { Persistence::Close } else { request.persistence }
    }

    fn desk<T>(&self, look: impl FnOnce(&Desk) -> T) -> Option<T> {
        self.shared.desks.get(self.index).map(look)
    }

    /// Applies every table that is published.
    async fn follow(self: Rc<Self>, mut table: watch::Receiver<Arc<Table>>) {
        // When nobody can publish any more, the last table stays.
        while table.changed().await.is_ok() {
            let next = Arc::clone(&table.borrow_and_update());
            self.apply(&next);
        }
    }

    fn apply(&self, table: &Table) {
        let view = self.view().next(table, &self.shared.ledger);
        self.view.replace(Rc::new(view));
        self.desk(|desk| desk.applied.store(table.generation.saturating_add(1), SeqCst));
        self.shared.ledger.tick();
        self.changed.notify_waiters();
    }

    /// Closes idle upstream connections that are old or were closed by the upstream.
    async fn sweep(self: Rc<Self>) {
        let limits = &self.shared.limits;
        loop {
            tokio::time::sleep(limits.pool_idle.max(SHORTEST_SWEEP)).await;
            for peer in self.view().peers() {
                peer.sweep(limits);
            }
        }
    }
}

/// A connection with the place it takes up.
#[derive(Debug)]
pub(crate) struct Tenancy<S> {
    pub(crate) stream: S,
    pub(crate) arrival: Arrival,
    pub(crate) place: OwnedSemaphorePermit,
}

/// A limit of zero must not keep a thread busy.
const SHORTEST_SWEEP: Duration = Duration::from_millis(100);
