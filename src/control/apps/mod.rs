//! Apps: from what is wanted of them to the containers that run.
//!
//! Read in this order: [`state`] is what is wanted, [`plan`] compares it with what was observed and
//! says what to do ([`step`]), helped by [`posts`], [`slots`], [`relief`], [`rollout`], [`failure`],
//! `command`, `post_deploy`, `trial` with its `verdict`, [`lingering`] and [`retire`]; [`placement`] says on which
//! machine an instance is started, [`supply`] which images other machines are sent, [`balance`] who would be
//! elsewhere if it were started anew, and [`rebalance`] has that done; [`health`] finds out who is ready and who
//! hangs, by [`questions`], [`cadence`] and [`vitals`]; [`unrouted`] who gets no requests any more, [`measure`] what
//! they use, [`tallies`] what two of them answered that are compared; [`vault`] opens their secrets;
//! [`execute`] does the steps;
//! [`reconcile`] is the pass that strings them together.

pub mod balance;
pub mod cadence;
mod command;
pub mod execute;
pub mod failure;
pub mod health;
pub mod lingering;
pub mod measure;
pub mod placement;
pub mod plan;
mod post_deploy;
pub mod posts;
pub mod questions;
pub mod rebalance;
pub mod reconcile;
pub mod relief;
pub mod retire;
pub mod rollout;
pub mod slots;
pub mod state;
pub mod step;
pub mod supply;
pub mod tallies;
mod trial;
pub mod unrouted;
pub mod vault;
mod verdict;
pub mod vitals;

#[cfg(test)]
mod simulation;
#[cfg(test)]
pub(super) mod transcripts;
