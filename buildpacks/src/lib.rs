//! Source to processes: everything that `paas` does inside containers.
//!
//! A build container runs our binary as process 1 (`agent`). It takes jobs from the daemon over a
//! unix socket and runs the Cloud Native Buildpacks lifecycle (`lifecycle`) on the contract's files
//! (`spec`), with our own buildpacks (`packs`) or anybody's. An app container starts through the
//! launcher (`launch`); static sites are served by `static_server`, PHP by what `php_server` runs. On
//! the host, the daemon writes the `/cnb` tree (`cnb`), speaks the agent's wire (`agent`) and answers
//! the buildpacks' requests for runtimes (`toolchain`).
//!
//! Not here: the export of images, downloads, containers. Invariant: this crate depends on nothing
//! of ours, and nothing but those two servers is asynchronous.

pub mod agent;
pub mod cnb;
mod entry;
mod environment;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod launch;
mod lifecycle;
pub mod packages;
mod packs;
mod php_server;
mod process;
mod roots;
mod spec;
mod static_server;
pub mod toolchain;

pub use entry::run;
pub use packs::{detect_report, procfile};
pub use roots::{OURS, Roots};
pub use spec::{Label, Slice, Target};
