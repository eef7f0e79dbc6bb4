//! Apps: from what is wanted of them to the containers that run.
//!
//! Read in this order: [`state`] is what is wanted, [`plan`] compares it with what was observed and
//! says what to do ([`step`]), helped by [`slots`], [`rollout`] and [`retire`]; [`health`] finds out
//! who is ready and [`unrouted`] who gets no requests any more, [`measure`] what they use; [`execute`] does the steps; [`reconcile`] is the pass that strings them together.

pub mod execute;
pub mod health;
pub mod measure;
pub mod plan;
pub mod reconcile;
pub mod retire;
pub mod rollout;
pub mod slots;
pub mod state;
pub mod step;
pub mod unrouted;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod transcripts;
