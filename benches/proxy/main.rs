//! The edge beside nginx, haproxy and caddy: `make bench-proxy`.
//!
//! One program in two roles: without arguments (or with `--quick`) it is the contest, with `edge …`
//! it is one contestant, a bare `proxy::Edge`. Every proxy has one worker on core 0; the load and
//! the origin are on core 1. Measurements take turns, so that whatever else the machine does meets
//! everyone alike; only ratios mean anything. It fails on errors, never on figures.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a program for people at a terminal; its clock and its errors are the real ones"
)]

mod contest;
mod contestant;
mod edge;
mod row;
mod table;

mod handshakes;
mod idle;
mod origin;
mod paced;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds `--bench` to what was asked for.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["edge", origin, plain, tls, folder, swaps] => {
            edge::serve(origin, plain, tls, folder, swaps)
        }
        [] => contest::hold(&contest::FULL, &[]),
        ["--quick", rows @ ..] => contest::hold(&contest::QUICK, rows),
        rows => contest::hold(&contest::FULL, rows),
    }
}
