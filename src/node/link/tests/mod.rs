//! Links over real sockets, between certificates of an authority of the test's own.

mod calls;
mod handshakes;
mod keeping;
mod tunnels;
pub(in crate::node) mod world;
