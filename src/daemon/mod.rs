//! The composition root: the only place that knows every part.
//!
//! [`run()`] opens what there is and lives on it, as a control (`lead`) or as a node (`follow`), each of which reads as a
//! life: bind → adopt → start → wait → drain. [`init`] is what comes once before it, and for a node [`join`]. Nothing is
//! decided here that belongs to a part.

mod access;
mod api;
pub mod authority;
mod certificates;
mod cluster;
mod council;
mod dns;
mod docker;
mod doors;
mod edge;
mod error;
pub mod folders;
mod follow;
mod forward;
mod holdings;
pub mod init;
pub mod join;
pub mod joined;
mod lead;
mod memory;
mod names;
mod notify;
mod plane;
mod private;
mod reissue;
mod renewal;
mod run;
mod signals;
mod ssh;
mod status;
mod taken;
mod tasks;
pub mod upgrade;

pub use error::{RunError, explain};
pub use run::run;
