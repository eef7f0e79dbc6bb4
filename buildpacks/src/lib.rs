//! Source to processes: everything that `paas` does inside containers.
//!
//! A build container runs our binary as process 1 (`agent`). It takes jobs from the daemon over a
//! unix socket and runs the Cloud Native Buildpacks lifecycle (`lifecycle`) on the contract's files
//! (`spec`), with our own buildpacks (`packs`) or anybody's. What runs in an app's container is the crate
//! `launcher`. On the host, the daemon writes the `/cnb` tree (`cnb`), speaks the agent's wire (`agent`) and answers
//! the buildpacks' requests for runtimes (`toolchain`).
//!
//! Not here: the export of images, downloads, containers. Invariant: of ours this crate depends on
//! `launcher` only, and nothing in it is asynchronous.

pub mod agent;
pub mod cnb;
mod entry;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod lifecycle;
pub mod packages;
mod packs;
mod process;
mod spec;
pub mod toolchain;

pub use entry::run;
pub use launcher::{OURS, Roots};
use launcher::{environment, php_server, static_server};
pub use packs::{detect_report, procfile};
pub use spec::{Label, Slice, Target};
