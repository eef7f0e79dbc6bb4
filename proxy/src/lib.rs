//! The edge: a TLS reverse proxy and load balancer for HTTP/1.1 and HTTP/2 that routes by host and
//! path to whoever the current [`Table`] names.
//!
//! It knows nothing of apps, containers or certificate authorities. A [`Table`] and [`Certificates`]
//! come in over `watch` channels; [`Traffic`] figures and [`Record`]s go out. Everything else is
//! inside. [`Edge::bind`] is where to begin.
//!
//! A connection's life: `listener` accepts it and hands it to the least loaded `worker`;
//! `admission` reads who is behind a load balancer (`preface`) and shakes hands (`tls`). Then
//! `intake` finds request heads for a `connection`, or `http2` finds streams.
//!
//! A request's life: `request` reads its head, `request_head` checks it and writes what the upstream
//! will get; `reception` leads it to a `venue` and past the `rules`; `forward` picks an upstream from its `pool` by
//! `balance`, holds the request while there is none (`hold`) and tries another where nothing was
//! done (`retry`); each `attempt` moves one request and one response between two parties through
//! two `pump`s (`exchange`), what is not found may be asked of others (`earlier`), and `tunnel` takes
//! over after a 101. What the edge has to say itself
//! is a `refusal`, written by `pages`; what became of the request is a `record`, for the
//! `access_log` and the `meter`s.
//!
//! The end: `handover` gives sockets and ticket keys to a successor, [`Edge::retire`] leaves new
//! connections to it, [`Edge::shutdown`] lets the rest finish.
//!
//! Invariants:
//! * No byte a client sends reaches an upstream unparsed: every head is written anew and every
//!   body is decoded and framed anew. (A tunnel is the exception that both sides agreed to.)
//! * A request is never sent to an upstream that its worker's current table does not have.
//! * Every buffer, queue, wait and retry has a bound, and the bound has a name in [`Limits`].

// What is said to the edge, as plain data.
mod certificates;
mod host;
mod limits;
mod network;
mod packed;
mod pattern;
mod policy;
mod settings;
mod site;
mod table;

// The edge, its threads and their sockets.
mod edge;
pub mod handover;
mod listener;
mod shared;
mod upkeep;
mod watchdog;
mod worker;

// A connection, until HTTP begins.
mod admission;
mod arrival;
mod crowd;
mod place;
pub mod preface;
mod tls;

// A connection that speaks HTTP.
mod connection;
mod http2;
mod intake;
mod parting;

// A request on its way to an upstream.
mod attempt;
mod earlier;
mod exchange;
mod fault;
mod forward;
mod hold;
mod reception;
mod retry;
mod rules;
mod tunnel;

// A table as requests use it.
mod balance;
pub mod door;
mod health;
mod outgoing;
mod pool;
mod sticky;
mod upstream;
mod venue;
mod view;

// Messages: heads, bodies and what carries them.
mod alarm;
mod body;
mod chunked;
mod control;
mod field;
mod forwarded;
mod head;
mod input;
mod party;
mod pump;
mod request;
mod request_head;
mod request_id;
mod response;
mod target;
mod wire;

// What the edge says itself.
mod date;
mod digits;
mod escape;
mod pages;
mod refusal;

// What is seen of it.
mod access_log;
mod answers;
mod figures;
mod histogram;
mod ledger;
mod meter;
mod record;
mod traffic;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use access_log::{AccessLog, Records, access_log};
pub use certificates::{Certificate, Certificates, InvalidCertificate};
pub use edge::{BindError, Edge, Shutdown};
pub use histogram::{BOUNDS, Histogram};
pub use host::{Host, InvalidHost};
pub use limits::Limits;
pub use network::{InvalidNetwork, Network};
pub use pattern::Pattern;
pub use policy::{Access, Compression, Key, Pages, Password, Policy, Rate, Sticky};
pub use record::{Abort, Record};
pub use settings::{Feeds, Listen, Opening, Preface, Settings, Speaks, Stuck};
pub use site::{Forwarded, Hsts, Plain, Route, Site, Subdomains};
pub use table::{
    Absence, Canary, Earlier, Hold, Protocol, Service, ServiceName, Table, Upstream, UpstreamId,
};
pub use tls::{HandshakeFailures, InvalidTicketKeys, NoRandomness, TicketKeys, TlsTraffic};
pub use traffic::{ServiceTraffic, Traffic, UpstreamTraffic};
