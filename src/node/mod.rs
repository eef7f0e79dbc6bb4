//! What a daemon sees of its own machine: its addresses, whether an instance answers, where it
//! listens, who has a port, and what of the machine containers reach; where instances find their secrets in
//! its memory; the programs of its instances that somebody talks to; and the link to the daemons of
//! other machines.
//!
//! Nothing here decides what an answer means for an app, or who may talk to it.

pub mod addresses;
pub mod consoles;
mod door;
pub mod edges;
mod feed;
pub mod fleet;
mod follower;
mod gateway;
mod handout;
mod holder;
mod hub;
pub mod link;
pub mod listening;
mod orders;
pub mod ports;
pub mod probe;
pub mod runs;
pub mod wall;
mod worker;

pub use consoles::{Consoles, Program, Talk};
pub use edges::Edges;
pub use fleet::{Fleet, Nodes};
pub use follower::{Follower, Found};
pub use gateway::{Gateway, Here};
pub use handout::{Handout, HandoutError, Reader};
pub use holder::{Holder, Transports, holders};
pub use hub::{Hub, Known, RENEW, Renewal};
pub use listening::listening;
pub use probe::{ProbeFailure, ProbeTarget, probe};
pub use worker::{Machine, Worker};
