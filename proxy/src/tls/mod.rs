//! TLS of the edge: from the first byte on a listener to a stream that carries HTTP.
//!
//! In reading order: what is presented, under which terms, how a handshake goes, how sessions are
//! resumed, what is counted. It opens no socket and knows nothing of HTTP but its protocol names.

mod handshake;
mod meter;
mod presented;
mod session;
mod terms;
mod tickets;

pub(crate) use handshake::{Shaken, shake};
pub(crate) use meter::TlsMeter;
pub use meter::{HandshakeFailures, TlsTraffic};
pub(crate) use presented::Presented;
pub(crate) use session::{Inside, Session};
pub(crate) use terms::Terms;
pub use tickets::{InvalidTicketKeys, NoRandomness, TicketKeys};
