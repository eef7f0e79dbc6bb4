//! Files on their way into an instance and out of one, as tars.
//!
//! What comes out of an instance is not trusted: nothing of it is written outside of where it was asked
//! to go, and nothing is there before all of it has come.

mod receive;
mod send;

pub(crate) use receive::{Inflow, receive};
pub(crate) use send::send;
