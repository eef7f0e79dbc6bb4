//! What to serve, as plain data: sites, the services behind them, the upstreams behind those.
//!
//! It says nothing of how a request is sent or counted. The table is published whole and replaced
//! whole; an [`UpstreamId`] is the identity that figures and idle connections persist by.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::site::Site;

/// Everything the edge routes by. Two tables with the same generation are taken to be equal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// Grows with every publication; [`crate::Traffic::applied`] speaks of it.
    pub generation: u64,
    /// The services by name.
    pub services: BTreeMap<ServiceName, Arc<Service>>,
    /// What hosts answer with; the exact host wins over a wildcard.
    pub sites: BTreeMap<Pattern, Site>,
}

impl Table {
    /// Every upstream that it names, as often as it does.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.services.values().flat_map(|service| service.all())
    }
}

/// A set of interchangeable upstreams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Who may answer. Empty means that requests are held, then refused with `absent`.
    pub upstreams: Vec<Upstream>,
    /// Others that get an exact share of the requests.
    pub canary: Option<Canary>,
    /// Others that are asked for what these do not have.
    pub earlier: Option<Earlier>,
    /// What the upstreams speak.
    pub protocol: Protocol,
    /// What the edge does besides.
    pub policy: Policy,
    /// How requests wait while nobody can answer.
    pub hold: Hold,
    /// What a visitor is told when nobody could answer in time.
    pub absent: Absence,
}

impl Service {
    /// A service with no rules of its own.
    pub fn new(upstreams: Vec<Upstream>, hold: Hold, absent: Absence) -> Self {
        let (canary, earlier) = (None, None);
        let (protocol, policy) = (Protocol::default(), Policy::default());
        Self { upstreams, canary, earlier, protocol, policy, hold, absent }
    }

    /// Every upstream that may be asked, for whatever reason.
    pub fn all(&self) -> impl Iterator<Item = &Upstream> {
        let canary = self.canary.iter().flat_map(|canary| &canary.upstreams);
        let earlier = self.earlier.iter().flat_map(|earlier| &earlier.upstreams);
        self.upstreams.iter().chain(canary).chain(earlier)
    }

    /// The same, to be changed.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Upstream> {
        let canary = self.canary.iter_mut().flat_map(|canary| &mut canary.upstreams);
        let earlier = self.earlier.iter_mut().flat_map(|earlier| &mut earlier.upstreams);
        self.upstreams.iter_mut().chain(canary).chain(earlier)
    }
}

/// Upstreams that are tried out beside the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Who they are. While there are none, everything goes to the others.
    pub upstreams: Vec<Upstream>,
    /// Of a thousand requests, how many go to them; exactly, not by chance.
    pub permille: u16,
}

/// Upstreams that answered before the present ones did. They get no request of their own: only what is
/// not found (404) under some paths is asked for again, of one after the other, and the first that has
/// it answers. If none has, the first answer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// What such paths begin with, each with its `/`, as the upstreams see them.
    pub prefixes: Vec<Box<str>>,
    /// Who they are, in the order in which they are asked.
    pub upstreams: Vec<Upstream>,
}

/// What upstreams speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS and with prior knowledge (RFC 9113 section 3.3), as gRPC servers do.
    H2c,
}

/// One process that answers for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Its identity: figures and idle connections belong to it across tables.
    pub id: UpstreamId,
    /// Where it listens, on its own machine.
    pub address: SocketAddr,
    /// A [`door`](crate::door) to it, if it is reached through one. It is this machine's, and means nothing elsewhere.
    #[serde(skip)]
    pub door: Option<SocketAddr>,
}

impl Upstream {
    /// Where connections to it go.
    pub fn reached_at(&self) -> SocketAddr {
        self.door.unwrap_or(self.address)
    }
}

/// How requests wait while a service has no upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Requests held at once over all workers; the next one is refused. 0 refuses at once.
    pub most: usize,
    /// How long one request waits before it is refused.
    pub deadline: Duration,
}

/// What to say when nobody serves, in plain words for a visitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// A short heading, such as "This app is being deployed".
    pub title: String,
    /// One or two sentences: why, and what to do.
    pub explanation: String,
    /// When to try again (`Retry-After`, whole seconds).
    pub retry_after: Duration,
}

/// The name of a service. Opaque to the edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// Takes any text: the edge only compares and reports it.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The text given to [`ServiceName::new`].
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of an upstream. Opaque to the edge; never reused for another process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UpstreamId(Arc<str>);

impl UpstreamId {
    /// Takes any text: the edge only compares and reports it.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The text given to [`UpstreamId::new`].
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
