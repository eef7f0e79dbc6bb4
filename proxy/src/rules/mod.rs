//! What the edge decides about a request before anybody else sees it: one rule a file, in the order
//! in which a request meets them.
//!
//! Pure decisions over plain data: nothing here opens, reads or writes a connection, and every
//! protocol asks the same functions. The invariant: the first rule that objects answers, and a rule
//! that a service does not have costs nothing.

mod asked;
mod passage;

mod misdirected;
mod proof;
mod redirect;

mod access;
mod admit;
mod password;
pub(crate) mod queue;
pub(crate) mod rate;

pub(crate) mod compression;
mod earlier;
mod forwarding;

pub(crate) use admit::admit;
pub(crate) use asked::{Asked, fields};
pub(crate) use earlier::may_ask_earlier;
pub(crate) use forwarding::put_head;
pub(crate) use misdirected::check as keep_apart;
pub(crate) use passage::Passage;
pub(crate) use proof::check as prove;
