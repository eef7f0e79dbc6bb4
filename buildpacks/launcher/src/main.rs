//! The program of app containers, which the daemon carries within itself and puts into images.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let argv0: OsString = words.next().unwrap_or_default();
    launcher::run(&argv0, words.collect()).unwrap_or_else(|| {
        launcher::complain("this is the launcher of an app's image; it knows its processes only")
    })
}
