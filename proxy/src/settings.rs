//! How an edge is set up, and what it is told while it runs. Plain data.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use crate::certificates::Certificates;
use crate::limits::Limits;
use crate::network::Network;
use crate::table::Table;
use crate::tls::TicketKeys;

/// How an edge is set up.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen. Port 0 takes any free one; see [`crate::Edge::addresses`].
    pub listen: Vec<Listen>,
    /// Threads, each with its own connections; one per core is best. 0 is taken as 1.
    pub workers: usize,
    /// Bounds and timeouts.
    pub limits: Limits,
    /// Peers whose `X-Forwarded-*` fields and PROXY protocol are believed: proxies in front of
    /// this one. They may have any number of connections.
    pub trusted: Vec<Network>,
    /// The wall clock, for dates in headers and records.
    pub clock: fn() -> SystemTime,
    /// Sockets of a predecessor ([`crate::handover`]): where one has an address of `listen` (or, for
    /// port 0, any on that address), it is used; the others are closed.
    pub inherited: Vec<TcpListener>,
    /// The predecessor's ticket keys; `None` makes fresh ones.
    pub tickets: Option<TicketKeys>,
    /// What to do when a worker is stuck for long.
    pub stuck: Stuck,
    /// Since when connections are accepted.
    pub opening: Opening,
}

impl Settings {
    /// One worker, no trusted peers, default limits, nothing inherited.
    pub fn new(listen: Vec<Listen>, clock: fn() -> SystemTime) -> Self {
        Self {
            listen,
            workers: 1,
            limits: Limits::default(),
            trusted: Vec::new(),
            clock,
            inherited: Vec::new(),
            tickets: None,
            stuck: Stuck::default(),
            opening: Opening::default(),
        }
    }
}

/// What to do when a worker has not run for [`Limits::stuck`]. It is always said and counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stuck {
    /// Nothing more.
    #[default]
    Report,
    /// Abort the process, so that whoever watches over it starts it again: a thread that hangs
    /// cannot be helped from within.
    Abort,
}

/// Since when connections are accepted. Until then the kernel keeps them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Opening {
    /// As soon as the workers run.
    #[default]
    AtOnce,
    /// Since [`crate::Edge::open`]: whoever is accepted is lost if the process fails after that, and
    /// what nobody accepted a predecessor that has the same sockets still answers.
    WhenTold,
}

/// One address, and what is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// What clients speak there.
    pub speaks: Speaks,
    /// What comes before it.
    pub preface: Preface,
}

impl Listen {
    /// Plain HTTP on this address.
    pub fn http(address: SocketAddr) -> Self {
        Self { address, speaks: Speaks::Http, preface: Preface::None }
    }

    /// TLS on this address, HTTP/1.1 or HTTP/2 by ALPN.
    pub fn https(address: SocketAddr) -> Self {
        Self { address, speaks: Speaks::Https, preface: Preface::None }
    }

    /// The same behind a load balancer that speaks the PROXY protocol.
    #[must_use]
    pub fn behind_proxy(self) -> Self {
        Self { preface: Preface::ProxyProtocol, ..self }
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

/// What comes on a connection before TLS or HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preface {
    /// Nothing.
    #[default]
    None,
    /// The PROXY protocol, version 1 or 2, without exception. It is accepted from trusted peers
    /// only, and nobody else may connect.
    ProxyProtocol,
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
