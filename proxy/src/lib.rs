//! The edge: an HTTP/1.1 reverse proxy that routes by host to whoever the current [`Table`] names.
//!
//! It knows nothing of apps, containers or certificate authorities. A [`Table`] comes in over a
//! `watch` channel; [`Traffic`] figures and [`Record`]s go out. Everything else is inside.
//!
//! A request's life: `listener` accepts and hands the socket to the least loaded `worker`;
//! `admission` reads who is behind a load balancer (`preface`) and shakes hands (`tls`);
//! `intake` finds heads for a `connection`, `http2` finds streams; `request` validates one and
//! writes what the upstream will get; `reception` leads it to a `venue` and past the `rules`;
//! `forward` picks an upstream (`balance`), holds the request while there is none (`hold`) and
//! retries where nothing was sent; `exchange` moves one request and one response over two `wire`s
//! through two `pump`s; `tunnel` takes over after a 101; `pages` says what is wrong.
//!
//! Invariants:
//! * No byte a client sends reaches an upstream unparsed: every head is written anew and every
//!   body is decoded and framed anew.
//! * A request is never sent to an upstream that its worker's current table does not have.
//! * Every buffer, queue, wait and retry has a bound, and the bound has a name in [`Limits`].

mod certificates;
mod host;
mod limits;
mod network;
mod pattern;
mod policy;
mod settings;
mod site;
mod table;

mod admission;
mod balance;
mod connection;
mod crowd;
mod edge;
mod exchange;
mod fault;
mod forward;
pub mod handover;
mod health;
mod hold;
mod intake;
mod listener;
mod outgoing;
mod parting;
mod place;
mod pool;
pub mod preface;
mod reception;
mod retry;
mod rules;
mod shared;
mod sticky;
mod tls;
mod tunnel;
mod upstream;
mod venue;
mod view;
mod watchdog;
mod worker;

mod http2;

mod alarm;
mod arrival;
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
mod response;
mod target;
mod wire;

mod access_log;
mod date;
mod digits;
mod figures;
mod histogram;
mod meter;
mod pages;
mod refusal;
mod request_id;
mod traffic;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use access_log::{Abort, AccessLog, Record, Records, access_log};
pub use certificates::{Certificate, Certificates, InvalidCertificate};
pub use edge::{BindError, Edge, Shutdown};
pub use histogram::{BOUNDS, Histogram};
pub use host::{Host, InvalidHost};
pub use limits::Limits;
pub use network::{InvalidNetwork, Network};
pub use pattern::Pattern;
pub use policy::{Access, Compression, Key, Pages, Password, Policy, Rate, Sticky};
pub use settings::{Feeds, Listen, Preface, Settings, Speaks, Stuck};
pub use site::{Forwarded, Hsts, Plain, Route, Site, Subdomains};
pub use table::{
    Absence, Canary, Hold, Protocol, Service, ServiceName, Table, Upstream, UpstreamId,
};
pub use tls::{HandshakeFailures, InvalidTicketKeys, NoRandomness, TicketKeys, TlsTraffic};
pub use traffic::{ServiceTraffic, Traffic, UpstreamTraffic};
