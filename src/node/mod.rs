//! What a daemon sees of its own machine: its addresses, whether an instance answers, where it
//! listens, and who has a port.
//!
//! Nothing here decides what an answer means for an app.

pub mod addresses;
mod holder;
pub mod listening;
pub mod probe;

pub use holder::{Holder, Transports, holders};
pub use listening::listening;
pub use probe::{ProbeFailure, ProbeTarget, probe};
