//! The DNS server through real sockets: what `dig` sees, what a flood does, and what records become.
//! Needs the Debian package `bind9-dnsutils`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only the test functions themselves for tests, not what they share"
)]

mod dig;
mod flood;
mod lookups;
mod records;
mod stage;
mod streams;
