//! The `paas` binary.

use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let argv0: OsString = words.next().unwrap_or_default();
    buildpacks::run(&argv0, words.collect()).unwrap_or(ExitCode::from(2))
}
