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
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::access_log::{AccessLog, Log};
use crate::admission;
use crate::arrival::Trust;
use crate::certificates::Certificates;
use crate::connection;
use crate::control::Persistence;
use crate::listener::{self, Incoming};
use crate::place::{Door, Place, Tenancy};
use crate::request::Request;
use crate::settings::{Feeds, Preface, Speaks};
use crate::shared::{Desk, Shared};
use crate::table::Table;
use crate::tls::{Presented, Terms, TicketKeys};
use crate::view::View;
use crate::watchdog;

/// What one worker needs to begin.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<(TcpListener, Door)>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Incoming>,
    pub(crate) feeds: Feeds,
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
    terms: RefCell<Rc<Terms>>,
    /// Whose turn it is to begin a handshake.
    turns: Semaphore,
    tasks: TaskTracker,
    retire: Arc<Notify>,
    stop: Arc<Notify>,
    stopping: Cell<bool>,
    retiring: Cell<bool>,
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
    let Beginning { index, shared, listeners, inbox, feeds, access_log, ready } = beginning;
    let Feeds { mut table, mut certificates } = feeds;
    let log = Log::new(access_log, shared.limits.records, Arc::clone(&shared.ledger));
    let mut tickets = shared.tickets.subscribe();
    let terms = Terms::new(Arc::default(), &tickets.borrow_and_update());
    let worker = Rc::new(Worker {
        index,
        log,
        changed: Notify::new(),
        view: RefCell::default(),
        terms: RefCell::new(Rc::new(terms)),
        turns: Semaphore::new(1),
        tasks: TaskTracker::new(),
        retire: Arc::new(Notify::new()),
        stop: Arc::new(Notify::new()),
        stopping: Cell::new(false),
        retiring: Cell::new(false),
        shared,
    });
    // Before anything is accepted: an early request must not find an empty table.
    worker.apply(&table.borrow_and_update());
    worker.present(&certificates.borrow_and_update());
    let accepting = TaskTracker::new();
    for (listener, door) in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.spawn_local(listener::accept(listener, door, Rc::clone(&worker)));
    }
    accepting.close();
    let upkeep = [
        tokio::task::spawn_local(Rc::clone(&worker).follow(table)),
        tokio::task::spawn_local(Rc::clone(&worker).follow_terms(certificates, tickets)),
        tokio::task::spawn_local(Rc::clone(&worker).rotate_tickets()),
        tokio::task::spawn_local(Rc::clone(&worker).beat()),
        tokio::task::spawn_local(listener::receive(inbox, Rc::clone(&worker))),
        tokio::task::spawn_local(Rc::clone(&worker).sweep()),
        tokio::task::spawn_local({
            let worker = Rc::clone(&worker);
            async move { worker.log.run().await }
        }),
    ];
    // The receiver is gone only if another worker could not begin; then all of them stop.
    let _ = ready.send(Ok(()));
    worker.shared.retiring.cancelled().await;
    worker.retiring.set(true);
    worker.retire.notify_waiters();
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
    worker.desk(Desk::ended);
    Ok(cut)
}

impl Worker {
    /// What to route by now. Not to be kept across an await.
    pub(crate) fn view(&self) -> Rc<View> {
        Rc::clone(&self.view.borrow())
    }

    /// The certificates and the answers to challenges that are current. Not to be kept across an
    /// await.
    pub(crate) fn presented(&self) -> Arc<Presented> {
        Arc::clone(&self.terms.borrow().presented)
    }

    /// The terms of new handshakes.
    pub(crate) fn terms(&self) -> Rc<Terms> {
        Rc::clone(&self.terms.borrow())
    }

    /// Waits until no other handshake is being begun. Turns are given in order; `None` never comes.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Begins to serve a connection that was assigned to this worker.
    pub(crate) fn serve(self: &Rc<Self>, incoming: Tenancy<TcpStream>) {
        let worker = Rc::clone(self);
        match incoming.door {
            Door { speaks: Speaks::Http, preface: Preface::None, .. } => {
                let Tenancy { stream, arrival, place, .. } = incoming;
                self.keep(place, connection::serve(stream, arrival, worker));
            }
            _ => {
                self.tasks.spawn_local(Box::pin(admission::admit(incoming, worker)));
            }
        }
    }

    /// Runs what serves a connection, for as long as it keeps its place.
    pub(crate) fn keep(&self, place: Place, service: impl Future<Output = ()> + 'static) {
        // In a box of its own: a future that another one owns and awaits is stored twice.
        let service = Box::pin(service);
        self.tasks.spawn_local(async move {
            service.await;
            drop(place);
        });
    }

    pub(crate) fn trust(&self, peer: std::net::IpAddr) -> Trust {
        let trusted = self.shared.trusted.iter().any(|network| network.contains(peer));
        if trusted { Trust::Trusted } else { Trust::Stranger }
    }

    /// Whether there is a successor, or none is needed: what is answered now is answered last.
    pub(crate) fn is_retiring(&self) -> bool {
        self.retiring.get()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Ready once the edge retires, which it also does when it stops.
    pub(crate) fn retire_notice(&self) -> OwnedNotified {
        Arc::clone(&self.retire).notified_owned()
    }

    /// Ready once the edge stops.
    pub(crate) fn stop_notice(&self) -> OwnedNotified {
        Arc::clone(&self.stop).notified_owned()
    }

    /// Whether the client connection may live on after this request.
    pub(crate) fn persistence_after(&self, request: &Request) -> Persistence {
        if self.is_retiring() { Persistence::Close } else { request.persistence }
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

    /// Presents every set of certificates that is published, under the ticket keys of the time.
    async fn follow_terms(
        self: Rc<Self>,
        mut certificates: watch::Receiver<Arc<Certificates>>,
        mut tickets: watch::Receiver<TicketKeys>,
    ) {
        loop {
            // When nobody can publish any more, the last set stays.
            tokio::select! {
                Ok(()) = certificates.changed() => {
                    let next = Arc::clone(&certificates.borrow_and_update());
                    self.present(&next);
                }
                Ok(()) = tickets.changed() => {
                    let terms = Terms::new(self.presented(), &tickets.borrow_and_update());
                    self.terms.replace(Rc::new(terms));
                }
                else => return,
            }
        }
    }

    fn present(&self, certificates: &Certificates) {
        let presented = Arc::new(Presented::from(certificates));
        let terms = Terms::new(presented, &self.shared.tickets.borrow());
        self.terms.replace(Rc::new(terms));
        self.desk(|desk| desk.presented.store(certificates.generation.saturating_add(1), SeqCst));
        self.shared.ledger.tick();
    }

    /// Replaces the ticket keys of all workers when their time has come. One worker does it.
    async fn rotate_tickets(self: Rc<Self>) {
        if self.index != 0 {
            return;
        }
        loop {
            let until = self.shared.tickets.borrow().until();
            tokio::time::sleep_until(until.into()).await;
            let next = self.shared.tickets.borrow().rotated();
            match next {
                Ok(keys) => drop(self.shared.tickets.send_replace(keys)),
                Err(error) => tracing::warn!(%error, "the ticket keys stay as they are"),
            }
            tokio::time::sleep(SHORTEST_PERIOD).await;
        }
    }

    /// Shows the watchdog that this worker runs.
    async fn beat(self: Rc<Self>) {
        loop {
            self.desk(|desk| desk.beat.fetch_add(1, Relaxed));
            tokio::time::sleep(watchdog::pause(self.shared.limits.stuck)).await;
        }
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

/// A limit of zero must not keep a thread busy.
const SHORTEST_SWEEP: Duration = Duration::from_millis(100);
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
