//! HTTP/2 on the client's side: the protocol frame by frame, and what goes through it.

mod conformance;
mod frames;
mod link;

use crate::stage::Plan;

/// A stage whose listener speaks HTTP/2.
pub(crate) fn plan() -> Plan {
    Plan::default()
}
