//! The edge as its owner sees it: bound, watched, stopped.
//!
//! It serves nothing itself. The invariant: when [`Edge::bind`] returns, every address is bound and
//! every worker runs; when [`Edge::shutdown`] returns, none does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::certificates::Certificates;
use crate::limits::Limits;
use crate::listener;
use crate::meter::Ledger;
use crate::network::Network;
use crate::retry::Budget;
use crate::table::{Table, UpstreamId};
use crate::traffic::Traffic;
use crate::worker::{self, Beginning, Desk, Shared};

/// How an edge is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0 takes any free one; see [`Edge::addresses`].
    pub listen: Vec<Listen>,
    /// Threads, each with its own connections; one per core is best. 0 is taken as 1.
    pub workers: usize,
    /// Bounds and timeouts.
    pub limits: Limits,
    /// Peers whose `X-Forwarded-*` fields are believed: proxies in front of this one.
    pub trusted: Vec<Network>,
    /// The wall clock, for dates in headers and records.
    pub clock: fn() -> SystemTime,
}

/// One address, and what is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// What clients speak there.
    pub speaks: Speaks,
}

impl Listen {
    /// Plain HTTP on this address.
    pub fn http(address: SocketAddr) -> Self {
        Self { address, speaks: Speaks::Http }
    }

    /// TLS on this address, HTTP/1.1 or HTTP/2 by ALPN.
    pub fn https(address: SocketAddr) -> Self {
        Self { address, speaks: Speaks::Https }
    }
}

/// What clients speak on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Plain HTTP/1.1.
    Http,
    /// TLS 1.2 or 1.3 with HTTP/1.1 or HTTP/2 inside.
    Https,
}

/// What an edge is told while it runs. The senders' owner decides when; nothing is polled.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// What to serve.
    pub table: watch::Receiver<Arc<Table>>,
    /// What to present on TLS listeners.
    pub certificates: watch::Receiver<Arc<Certificates>>,
}

impl Feeds {
    /// A table that may change, and no certificates.
    pub fn plain(table: watch::Receiver<Arc<Table>>) -> Self {
        let (_, certificates) = watch::channel(Arc::default());
        Self { table, certificates }
    }
}

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
    shared: Arc<Shared>,
    changes: watch::Receiver<()>,
    threads: Vec<Thread>,
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
        let listeners = listen(&settings.listen)?;
        let addresses = listeners.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let (tick, changes) = watch::channel(());
        let (inboxes, receivers): (Vec<_>, Vec<_>) =
            (0..settings.workers.max(1)).map(|_| mpsc::unbounded_channel()).unzip();
        let shared = Arc::new(Shared {
            places: Arc::new(Semaphore::new(settings.limits.connections)),
            limits: settings.limits,
            trusted: settings.trusted,
            clock: settings.clock,
            ledger: Arc::new(Ledger::new(tick, settings.workers.max(1))),
            budget: Arc::new(Budget::default()),
            desks: inboxes.into_iter().map(Desk::new).collect(),
            stopping: CancellationToken::new(),
            cutting: CancellationToken::new(),
        });
        let mut edge = Self { addresses, shared, changes, threads: Vec::new() };
        let (ready, readiness) = std::sync::mpsc::channel();
        for (index, inbox) in receivers.into_iter().enumerate() {
            let listeners = listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>();
            let beginning = Beginning {
                index,
                shared: Arc::clone(&edge.shared),
                listeners: listeners.map_err(BindError::Worker)?,
                inbox,
                table: feeds.table.clone(),
                certificates: feeds.certificates.clone(),
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

    /// All figures, now.
    pub fn traffic(&self) -> Traffic {
        let ledger = &self.shared.ledger;
        let desks = &self.shared.desks;
        // First of all: what is read after it is at least as new.
        let applied = desks.iter().map(Desk::applied).min().flatten();
        Traffic {
            applied,
            presented: None,
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
        }
    }

    /// Changes whenever a worker applies a table, an upstream that left the table becomes idle, or
    /// a request begins to be held. Look at [`Edge::traffic`] after each.
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

    /// Accepts no more, lets requests and tunnels finish, and cuts what is left at the deadline.
    pub async fn shutdown(mut self, deadline: Duration) -> Shutdown {
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

fn listen(listeners: &[Listen]) -> Result<Vec<TcpListener>, BindError> {
    let one = |listen: &Listen| {
        let address = listen.address;
        listener::bind(address).map_err(|source| BindError::Listen { address, source })
    };
    listeners.iter().map(one).collect()
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
