//! Cron: from the schedules of what serves to runs, each tick once.
//!
//! [`plan`] says what the clock asks for, [`reconcile`] records it; [`super::runs`] does what is recorded.

pub mod plan;
pub mod reconcile;
#[cfg(test)]
mod simulation;
