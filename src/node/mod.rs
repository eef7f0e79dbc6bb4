//! What a daemon sees of its own machine: its addresses, whether an instance answers, and where it
//! listens.
//!
//! Nothing here decides what an answer means for an app.

pub mod addresses;
pub mod listening;
pub mod probe;

pub use listening::listening;
pub use probe::{ProbeFailure, ProbeTarget, probe};
