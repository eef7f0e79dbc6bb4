//! The only door to instant-acme: what is asked of a certificate authority (RFC 8555), one plain
//! function a question, each with a timeout, and errors that say what to do next.
//!
//! Absent on purpose: any record, any decision about what to ask for and when (`control`), any
//! way of showing a proof (the edge, the DNS server). It never asks twice by itself, except where
//! the protocol demands it (a nonce that was refused).

mod account;
mod client;
mod error;
mod nonce;
mod order;
mod window;

pub use account::{Account, Credentials, External, Settings};
pub use error::{AcmeError, Fault};
pub use order::{Order, Proof, ProofKind, Stage};
pub use window::Window;
