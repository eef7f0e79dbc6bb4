//! `git push`: what comes in, what is kept, and what is said about it. Bare repositories, one an app,
//! in the data folder; nothing is deployed here, that is `server`'s.
//!
//! The protocol's talk is our own code; objects and refs are the program `git`'s, run with arguments
//! and never through a shell, with no hook, no configuration of this machine's and no environment.
//! Invariant: what a push brings lies apart (in its quarantine) until everything about it is settled;
//! a push that fails leaves neither object nor ref.
//!
//! In reading order: `pkt` (the frames of the protocol), `commands` (what a push wants), `sideband`
//! (what it is told), `tool` (git itself), `repository` and `refs` (what is kept), `quarantine` (what
//! comes in), `verdict` (what is allowed), `contents` (what is in a commit), `turns` (one deploy at a
//! time), `pinned` (what stays without a branch), `fetch` (giving it back).

mod commands;
mod contents;
mod error;
mod fetch;
mod pinned;
mod pkt;
mod quarantine;
mod refs;
mod repository;
mod sideband;
mod tool;
mod turns;
mod verdict;

pub use commands::{Abilities, Commands, Update};
pub use contents::Contents;
pub use error::GitError;
pub use fetch::{serve_fetch, upload_pack};
pub use pkt::MalformedError;
pub use quarantine::{Behind, MAX_PACK, Quarantine};
pub use refs::Refs;
pub use repository::{Repositories, Repository};
pub use sideband::{Report, Voice};
pub use turns::{Arrival, Holder, Turn};
pub use verdict::{Verdict, deployed_branch, judge};
