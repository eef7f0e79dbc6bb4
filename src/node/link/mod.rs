//! The link: how two daemons talk. HTTP/2 under TLS 1.3, in which both sides show certificates of the
//! installation's own node authority.
//!
//! A [`Link`] calls and keeps one connection up, to a target that may become another, [`Calls`] many of them;
//! a [`Listener`] is called. Over it go *calls* (any HTTP request, streamed both ways) and *tunnels* (bytes to
//! what only the far side can reach). It knows bytes, names and certificates, and passes on with which term a
//! daemon says that it leads. Absent on purpose: apps, tables, records, and the questions who is a node, which
//! comes in by [`Admitted`], and who leads.
//!
//! The invariant: whoever is at the other end has shown a certificate with its name, and is cut off
//! within a second once it is no longer admitted; a peer that falls silent is noticed within two.

mod body;
mod caller;
mod calls;
mod crowd;
mod dial;
mod handler;
mod heard;
mod identity;
mod keeper;
mod listener;
mod peer;
mod post;
mod serving;
mod tunnel;
mod wire;

#[cfg(test)]
pub(super) mod tests;

pub use body::{Body, BodyError, empty, full, until, whole};
pub use caller::{Answered, Link, LinkError, LinkState};
pub use calls::Calls;
pub use handler::{Far, Handler, Refused, reached, refusal};
pub use identity::{Credentials, Identity, IdentityError};
pub(super) use keeper::back_off;
pub use keeper::{Keeper, Target};
pub use listener::Listener;
pub use peer::{Admitted, Keys, Peer};
pub use post::PostError;
pub use tunnel::Tunnel;
