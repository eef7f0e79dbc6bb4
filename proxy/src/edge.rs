//! The edge as its owner sees it: bound, watched, stopped.
//!
//! It serves nothing itself. The invariant: when [`Edge::bind`] returns, every address is bound and
//! every worker runs; when [`Edge::shutdown`] returns, none does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::crowd::Crowd;
use crate::ledger::Ledger;
use crate::listener;
use crate::place::Door;
use crate::retry::Budget;
use crate::settings::{Feeds, Opening, Settings, Stuck};
use crate::shared::{Desk, Shared};
use crate::table::UpstreamId;
use crate::tls::{NoRandomness, TicketKeys};
use crate::traffic::Traffic;
use crate::watchdog;
use crate::worker::{self, Beginning};

/// Why an edge could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is in use, not ours, or needs a privilege.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which of the addresses.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread or its runtime could not be created.
    #[error("cannot start a worker thread")]
    Worker(#[source] io::Error),
    /// There are no keys for session tickets.
    #[error(transparent)]
    Tickets(#[from] NoRandomness),
}

/// What a shutdown had to cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Connections that were still busy at the deadline; those with tunnels are among them.
    pub connections_cut: usize,
    /// Tunnels that were still open at the deadline.
    pub tunnels_cut: usize,
}

/// A running edge. Dropping it stops it at once; [`Edge::shutdown`] stops it gently.
#[derive(Debug)]
pub struct Edge {
    addresses: Vec<SocketAddr>,
    /// For a successor. Every copy of a socket keeps it open.
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    changes: watch::Receiver<()>,
    threads: Vec<Thread>,
    /// Dropping it ends the watchdog.
    _watchdog: Sender<()>,
}

#[derive(Debug)]
struct Thread {
    handle: JoinHandle<()>,
    ended: oneshot::Receiver<usize>,
}

impl Edge {
    /// Binds every address, starts the workers with the table that is current, and waits until all
    /// of them serve (milliseconds).
    pub fn bind(
        settings: Settings,
        feeds: &Feeds,
        access_log: &AccessLog,
    ) -> Result<Self, BindError> {
        let listeners = listener::bind_all(&settings.listen, settings.inherited)?;
        let addresses = listeners.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let (tick, changes) = watch::channel(());
        let (inboxes, receivers): (Vec<_>, Vec<_>) =
            (0..settings.workers.max(1)).map(|_| mpsc::unbounded_channel()).unzip();
        let period = settings.limits.ticket_period;
        let tickets = match settings.tickets {
            Some(inherited) => inherited.every(period),
            None => TicketKeys::fresh(period)?,
        };
        let stopping = CancellationToken::new();
        let open = CancellationToken::new();
        if settings.opening == Opening::AtOnce {
            open.cancel();
        }
        let shared = Arc::new(Shared {
            places: Arc::new(Semaphore::new(settings.limits.connections)),
            crowd: Arc::new(Crowd::default()),
            limits: settings.limits,
            trusted: settings.trusted,
            clock: settings.clock,
            ledger: Arc::new(Ledger::new(tick, settings.workers.max(1))),
            budget: Arc::new(Budget::default()),
            desks: inboxes.into_iter().map(Desk::new).collect(),
            tickets: watch::Sender::new(tickets),
            open,
            retiring: stopping.child_token(),
            stopping,
            cutting: CancellationToken::new(),
        });
        let doors = settings.listen.iter().zip(&listeners).map(|(listen, socket)| Door {
            port: socket.local_addr().map_or(0, |address| address.port()),
            speaks: listen.speaks,
            preface: listen.preface,
        });
        let doors: Vec<Door> = doors.collect();
        let watchdog = watch_over(&shared, settings.stuck).map_err(BindError::Worker)?;
        let threads = Vec::new();
        let mut edge = Self { addresses, listeners, shared, changes, threads, _watchdog: watchdog };
        let (ready, readiness) = std::sync::mpsc::channel();
        for (index, inbox) in receivers.into_iter().enumerate() {
            let sockets = edge.listeners.iter().map(TcpListener::try_clone);
            let sockets = sockets.collect::<Result<Vec<_>, _>>().map_err(BindError::Worker)?;
            let beginning = Beginning {
                index,
                shared: Arc::clone(&edge.shared),
                listeners: sockets.into_iter().zip(doors.iter().copied()).collect(),
                inbox,
                feeds: feeds.clone(),
                access_log: access_log.clone(),
                ready: ready.clone(),
            };
            edge.threads.push(start(beginning).map_err(BindError::Worker)?);
        }
        drop(ready);
        for _ in &edge.threads {
            // A worker that panics drops its end: that is a failure to begin as well.
            let began = readiness.recv().unwrap_or_else(|gone| Err(io::Error::other(gone)));
            began.map_err(BindError::Worker)?;
        }
        Ok(edge)
    }

    /// The addresses that are served, in the order of [`Settings::listen`].
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Begins to accept, if that was put off ([`Opening::WhenTold`]).
    pub fn open(&self) {
        self.shared.open.cancel();
    }

    /// All figures, now.
    pub fn traffic(&self) -> Traffic {
        let ledger = &self.shared.ledger;
        let desks = &self.shared.desks;
        // First of all: what is read after it is at least as new.
        let applied = desks.iter().map(Desk::applied).min().flatten();
        let presented = desks.iter().map(Desk::presented).min().flatten();
        Traffic {
            applied,
            presented,
            upstreams: ledger
                .upstreams()
                .into_iter()
                .map(|(id, meter)| (id, (&*meter).into()))
                .collect(),
            services: ledger
                .services()
                .into_iter()
                .map(|(name, meter)| (name, (&*meter).into()))
                .collect(),
            connections: desks.iter().map(|desk| desk.open.load(Relaxed)).sum(),
            unrouted: ledger.unrouted.load(Relaxed),
            malformed: ledger.malformed.load(Relaxed),
            accept_faults: ledger.accept_faults.load(Relaxed),
            records_dropped: ledger.records_dropped.load(Relaxed),
            crowded: ledger.crowded.load(Relaxed),
            prefaces_refused: ledger.prefaces_refused.load(Relaxed),
            stalls: ledger.stalls.load(Relaxed),
            tls: (&ledger.tls).into(),
        }
    }

    /// Changes whenever a worker applies a table or certificates, an upstream that left the table
    /// becomes idle, a worker's last connection ends, or a request begins to be held. Look at
    /// [`Edge::traffic`] after each.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    /// Waits until an upstream may be stopped: see [`Traffic::is_drained`]. It has no deadline of
    /// its own, and may be dropped at any time.
    pub async fn drained(&self, generation: u64, id: &UpstreamId) {
        let mut changes = self.changes();
        while !self.traffic().is_drained(generation, id) {
            if changes.changed().await.is_err() {
                return; // No worker is left.
            }
        }
    }

    /// What a successor needs to serve the same addresses and clients: see [`crate::handover`].
    pub fn estate(&self) -> (&[TcpListener], TicketKeys) {
        (&self.listeners, self.shared.tickets.borrow().clone())
    }

    /// Leaves new connections to a successor that has the same sockets. Requests go on being
    /// answered, each as the last one of its connection; no HTTP/1.1 connection that is idle is
    /// closed, because its next request may be on its way. HTTP/2 clients are asked to leave, and
    /// what they sent before they saw that is answered. [`Edge::shutdown`] ends it.
    pub fn retire(&mut self) {
        self.listeners.clear();
        self.shared.retiring.cancel();
    }

    /// Waits until no client connection is open. It may be dropped at any time.
    pub async fn emptied(&self) {
        let mut changes = self.changes();
        while self.traffic().connections > 0 {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Accepts no more, lets requests and tunnels finish, and cuts what is left at the deadline.
    pub async fn shutdown(mut self, deadline: Duration) -> Shutdown {
        self.listeners.clear();
        self.shared.stopping.cancel();
        let threads = std::mem::take(&mut self.threads);
        let (handles, ends): (Vec<_>, Vec<_>) =
            threads.into_iter().map(|thread| (thread.handle, thread.ended)).unzip();
        let mut all = std::pin::pin!(async {
            let mut cut = 0;
            for ended in ends {
                cut += cut_by(ended).await;
            }
            cut
        });
        let mut report = Shutdown::default();
        tokio::select! {
            cut = &mut all => report.connections_cut = cut,
            () = tokio::time::sleep(deadline) => {
                report.tunnels_cut = self.tunnels();
                self.shared.cutting.cancel();
                report.connections_cut = all.await;
            }
        }
        for handle in handles {
            // It has said its last word, so this does not wait; a panic was reported by then.
            let _ = handle.join();
        }
        report
    }

    fn tunnels(&self) -> usize {
        self.traffic().upstreams.values().map(|upstream| upstream.tunnels).sum()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
        self.shared.cutting.cancel();
    }
}

fn watch_over(shared: &Arc<Shared>, stuck: Stuck) -> io::Result<Sender<()>> {
    let (end, ended) = std::sync::mpsc::channel();
    let shared = Arc::clone(shared);
    let watch = move || watchdog::watch(&shared, stuck, &ended);
    thread::Builder::new().name("edge-watchdog".into()).spawn(watch)?;
    Ok(end)
}

fn start(beginning: Beginning) -> io::Result<Thread> {
    let (sender, ended) = oneshot::channel();
    let name = format!("edge-{}", beginning.index);
    let handle = thread::Builder::new().name(name).spawn(move || {
        // Nobody listens when the edge was dropped instead of shut down.
        let _ = sender.send(worker::run(beginning));
    })?;
    Ok(Thread { handle, ended })
}

/// How many connections a worker cut. One that panicked has none left.
async fn cut_by(ended: oneshot::Receiver<usize>) -> usize {
    ended.await.unwrap_or_else(|_| {
        tracing::error!("an edge worker panicked");
        0
    })
}
