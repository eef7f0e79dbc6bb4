//! What runs inside of an app's container: the launcher, and the two servers of ours.
//!
//! Every image of a build carries this crate as one small static program, `/cnb/lifecycle/launcher`.
//! It becomes a process of the app (`launch`); by other names it serves files (`static_server`), runs
//! nginx and php-fpm (`php_server`), or reads secrets before another program begins (`enter`). Builds share the rules of the contract that both need: the
//! environment, the small files, the folders.
//!
//! Not here: anything that only a build or the daemon does. Invariant: this crate stays small, in bytes
//! and in the time it takes to compile, because all images carry it and every build of `paas` makes it.

mod enter;
mod entry;
pub mod environment;
mod launch;
pub mod php_server;
mod roots;
pub mod spec;
pub mod static_server;

pub use entry::{complain, report, run};
pub use roots::{OURS, Roots};
