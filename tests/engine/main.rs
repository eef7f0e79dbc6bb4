//! The engine against the real Docker: what instances, builds, images and output do there. Needs a
//! running dockerd and the Debian package `busybox-static`; everything it makes carries an
//! installation id of its own and is removed at the end, also when a test fails.

mod builds;
mod collect;
mod images;
mod instances;
mod output;
mod pull;
mod world;
