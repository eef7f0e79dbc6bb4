//! The process that is number 1 in a build container, and the wire between it and the daemon.
//!
//! The daemon listens on a unix socket in a bind-mounted folder; the agent connects before any
//! code of the app runs and keeps that one connection, so that later callers are known to be
//! strangers. Invariant: what the agent says is a claim by code that shares a container with
//! hostile code; the daemon checks it as it would check an upload.

mod connection;
mod job;
mod outcome;
mod refresh;

pub(crate) use connection::serve;
pub use job::{Chosen, Frame, Job, Phase, PreviousBuild, PreviousBuildpack, PreviousLayer, Stream};
pub use outcome::{
    BuildpackRef, Built, Code, Contents, Detection, Failed, Layer, Outcome, Process, Wants,
};

/// The longest line of a build log that is kept whole, in bytes; longer ones are cut in pieces.
pub const MAX_LOG_LINE: usize = 8 * 1024;

/// The longest frame, in bytes: the daemon closes a connection that sends more without a newline.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;
