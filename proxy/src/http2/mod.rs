//! HTTP/2 to clients: a connection of streams, each of them a request like any other.
//!
//! Frames, windows and header compression are the crate `h2`'s; who may ask what and who answers is
//! decided by the same code as for HTTP/1.1. In reading order: the connection and its patience
//! (`connection`), its first bytes (`preface`), one request and its answer (`visit`), its head
//! (`request`), its stream (`stream`).

mod connection;
mod preface;
mod request;
mod stream;
mod visit;

pub(crate) use connection::serve;
