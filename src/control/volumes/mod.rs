//! Volumes, apart from the pass of apps because what is done to them takes long: `task` is the pass,
//! `job` the snapshots and restores that it brings on.

mod job;
mod task;

pub use task::{Memory, Volumes, VolumesError};

#[cfg(test)]
mod tests;
