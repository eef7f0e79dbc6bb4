//! Certificates that get themselves: every registered name has one, in time, from an authority that
//! was asked no more often than it allows.
//!
//! A pass presents what is issued, plans purely and lets orders be carried out beside it; an order
//! takes seconds, and what is known of it is in the store, so that it goes on after any crash. In
//! reading order: [`wanted`] says which names, [`plan`] what to do, [`budget`] how much of it,
//! [`execute`] carries out, [`way`], [`preflight`] and [`fetch`] prove, [`presented`] opens and [`board`] shows,
//! [`records`] and [`counts`] remember. Beside them [`issuer`] asks, by [`responder`], whether users' own
//! certificates still stand.
//!
//! Invariant: what is issued stays presented until its successor is in its place.

mod authority;
mod backoff;
mod board;
mod budget;
mod counts;
mod execute;
mod failure;
mod fetch;
mod issuer;
mod pass;
mod plan;
mod preflight;
mod presented;
mod records;
mod responder;
mod wanted;
mod way;
mod world;

#[cfg(test)]
mod tests;

pub use budget::{Limits, Rate};
use execute::Executor;
pub use pass::{Certificates, Outlets, Settings};
pub use presented::on_record;
pub use wanted::{Platform, ZoneOf};
pub use world::World;
