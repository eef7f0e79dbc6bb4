//! SSH, as far as git needs it: who comes is known by a key, says which of git's programs they want, and
//! gets a line to it. The only door to russh.
//!
//! There is no shell, no terminal, no forwarding, no file transfer, and of the environment only the
//! version of git's protocol. What becomes of a push is not known here. Invariant: nothing is asked of
//! anybody before their key was recognised and they proved that it is theirs.
//!
//! In reading order: `key` (of a user), `host` (the server's own), `wish` (what somebody wants), `line`
//! (the way to and from them), `visitor` (one connection's protocol), `places` (how many there may be),
//! `listener` (all of them).

mod host;
mod key;
mod line;
mod listener;
mod places;
mod visitor;
mod wish;

pub use host::{HostKey, InvalidHostKey};
pub use key::{InvalidKey, PublicKey};
pub use line::{Asked, Line};
pub use listener::{Door, serve};
pub use visitor::Knows;
pub use wish::Wish;
