//! Certificates from a real authority, pebble (Debian's package), proved through real servers: the
//! edge, our own DNS server, the store on a disk.
//!
//! Pebble refuses one nonce in five by itself; the tests ask it to refuse half of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only the test functions themselves for tests, not what they share"
)]

mod alarms;
mod alias;
mod crowd;
mod front;
mod interruption;
mod issuance;
mod pebble;
mod ports;
mod preflight;
mod refusal;
mod renewal;
mod stage;
mod world;
