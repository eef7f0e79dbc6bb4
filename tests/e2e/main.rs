//! The real binary, the real Docker, real apps: what a user does, and what the world does to it.
//!
//! One binary, so that linking happens once; each test starts a server of its own (`server`) with
//! an installation of its own. Needs a running dockerd, mmdebstrap, and this machine's own package
//! registries for the apps' dependencies. Nothing waits for a fixed time: everything waits for a
//! condition (`server::until`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a case is a story that is told to its end; clippy takes only the test functions themselves for tests, not what they share"
)]

mod bucket;
mod docker;
mod ends;
mod http;
mod inside;
mod kept;
#[path = "../acme/ports.rs"]
mod ports;
mod repository;
mod server;
mod sources;
mod traffic;

mod examples;
mod refused;

mod backups;
mod buildpacks;
mod changes;
mod dockerfile;
mod farewell;
mod output;
mod prebuilt;
mod push;
mod secrets;

mod commands;
mod cron;
mod cycles;
mod domains;
mod entry;
mod firewall;
mod git;
mod h2c;
mod hostile;
mod https;
mod leaving;
mod measured;
mod names;
mod nodes;
mod pins;
mod queue;
mod runs;
mod sessions;
mod ssh;
mod staple;
mod tarballs;
mod tidy;

mod assets;
mod canary;
mod daemon;
mod full_disk;
mod handover;
mod hanging;
mod steady;
mod upgrade;
mod uploads;
mod volumes;
mod waves;
