//! HTTP/2, to clients and to upstreams that ask for it: streams, each of them a request like any
//! other.
//!
//! Frames, windows and header compression are the crate `h2`'s; who may ask what and who answers is
//! decided by the same code as for HTTP/1.1. In reading order: the connection and its patience
//! (`connection`), its first bytes (`preface`), the frames that no client may send (`guarded`, by
//! `guard`, which asks `numbers`, `blocks` and `hpack`), what its streams share (`session`), one
//! request and its answer (`visit`), its head (`request`), its stream (`stream`, and what comes in
//! through it: `incoming`). Then the other side: an upstream's connections (`pool`), an exchange on
//! one of them (`translator`), its heads (`message`). Both write their fields with `fields`.

mod blocks;
mod connection;
mod guard;
mod guarded;
mod hpack;
mod incoming;
mod numbers;
mod preface;
mod request;
mod session;
mod stream;
mod visit;

mod message;
mod pool;
mod translator;

mod fields;

pub(crate) use connection::serve;
#[cfg(feature = "fuzzing")]
pub(crate) use guard::Guard;
pub(crate) use pool::Pool;
pub(crate) use translator::Translator;
