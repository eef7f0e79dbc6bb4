//! The engine against the real Docker: what instances, builds, images and output do there. Needs a
//! running dockerd and the Debian package `busybox-static`; everything it makes carries an
//! installation id of its own and is removed at the end, also when a test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes only the test functions themselves for tests, not what they share"
)]

mod builds;
mod collect;
mod disks;
mod faults;
mod handed;
mod images;
mod instances;
mod names;
mod output;
mod pull;
mod wall;
mod world;
