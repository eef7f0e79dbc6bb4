//! Runs: from what was asked for once to a container that runs once.
//!
//! [`plan`] compares a record with its container and says what to do; [`reconcile`] is the pass.
//! Control begins detached runs only: one that somebody talks to is begun by its session, which must
//! hear its first word, and is ended here when that session is gone.

pub mod plan;
pub mod reconcile;
#[cfg(test)]
mod simulation;
