//! DNS: the server that answers the world for our zones, the one that answers containers, and
//! questions of our own to the world's.
//!
//! The only door to hickory, whose part is reading and writing messages. What is answered is a pure
//! function of [`Zones`]; sockets, limits and clocks are around it. Deliberately absent: recursion
//! for strangers, zone transfers, updates over the wire, DNSSEC. The invariant: one packet in is at
//! most one packet out, and over UDP none leaves that is longer than what EDNS and 1232 bytes allow.
//!
//! In reading order: a [`ZoneData`] says what a zone has; [`Zones`] finds it by name; `answer`
//! follows the rules of RFC 1034, 2308, 4592 and 8482; `message` makes bytes of bytes; [`Server`]
//! brings them from sockets, `rate` between; [`Names`] are the private names of containers, which
//! [`Internal`] serves while `forward` passes everything else on; [`Lookup`] asks the world.

mod zones;

mod answer;
mod message;
mod rate;

mod server;
mod socket;
mod tcp;
mod udp;

mod forward;
mod internal;
mod names;

mod lookup;

pub use internal::Internal;
pub use lookup::{Lookup, LookupError, own_resolvers, system_resolvers};
pub use names::{AppNames, Names};
pub use server::{BindError, Limits, Server};
pub use zones::{InvalidZone, ZoneData, Zones};

pub use crate::model::zone::ZoneRecord;

#[cfg(test)]
mod tests;
