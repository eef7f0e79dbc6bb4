//! Responses made smaller on their way to a client that can read them so (RFC 9110 section 8.4).
//!
//! Deciding (`offer`: what the client takes; `treatment`: what a response allows) stands apart from
//! doing (`encoder`). The invariant: a response that is compressed already, or that somebody asked
//! not to be changed, passes as it is, and what is said in a head is true of the body behind it.

mod encoder;
mod offer;
mod treatment;

pub(crate) use encoder::Encoder;
pub(crate) use offer::{Coding, Offer};
pub(crate) use treatment::{Said, Treatment, treat};
