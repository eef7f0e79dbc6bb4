//! What a daemon sees of its own machine: its addresses, whether an instance answers, where it
//! listens, and who has a port; where instances find their secrets in its memory; the programs of its
//! instances that somebody talks to; and the link to the daemons of other machines.
//!
//! Nothing here decides what an answer means for an app, or who may talk to it.

pub mod addresses;
pub mod consoles;
mod handout;
mod holder;
pub mod link;
pub mod listening;
pub mod ports;
pub mod probe;
pub mod runs;

pub use consoles::{Consoles, Program, Talk};
pub use handout::{Handout, HandoutError, Reader};
pub use holder::{Holder, Transports, holders};
pub use listening::listening;
pub use probe::{ProbeFailure, ProbeTarget, probe};
