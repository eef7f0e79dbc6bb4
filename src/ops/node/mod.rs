//! Machines that join, and the tokens by which they do.
//!
//! A token is used in the transaction that records the node, so that of two machines with the same token
//! one joins. Who has lost the answer asks again and gets one. What a node proves itself with afterwards is
//! its key: whoever calls [`renew`] or [`readdress`] has seen it on the link.

mod council;
mod drain;
mod enrol;
mod join;
mod keep;
mod rebalance;
mod token;

pub use council::Keepers;
pub use drain::{Moves, drain, undrain};
pub use enrol::enrol;
pub use join::{Candidate, join};
pub use keep::{
    LabelChange, all, check_confirmed, check_without_volumes, control_labels, label, label_control,
    readdress, remove, renew,
};
pub use rebalance::{rebalance, rebalancing};
pub use token::{make, recognise, revoke};

#[cfg(test)]
mod tests;
