//! The crate's own binary: what `paas` does inside containers, and nothing else.
//!
//! The daemon does not use it; `paas` calls [`buildpacks::run`] itself. It is how a buildpack, the
//! launcher or a whole lifecycle is tried without building the daemon.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let argv0: OsString = words.next().unwrap_or_default();
    buildpacks::run(&argv0, words.collect()).unwrap_or(ExitCode::from(2))
}
