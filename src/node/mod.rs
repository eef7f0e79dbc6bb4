//! What a daemon sees of its own machine: its addresses, whether an instance answers, where it
//! listens, who has a port, and what of the machine containers reach; where instances find their secrets in its memory; and the programs of its
//! instances that somebody talks to.
//!
//! Nothing here decides what an answer means for an app, or who may talk to it.

pub mod addresses;
pub mod consoles;
mod handout;
mod holder;
pub mod listening;
pub mod ports;
pub mod probe;
pub mod runs;
pub mod wall;

pub use consoles::{Consoles, Program, Talk};
pub use handout::{Handout, HandoutError, Reader};
pub use holder::{Holder, Transports, holders};
pub use listening::listening;
pub use probe::{ProbeFailure, ProbeTarget, probe};
