//! Certificates as documents: read, checked, made. Pure but for the randomness of keys.
//!
//! Absent on purpose: any authority of others (`acme`), any record (`store`), any decision about when. Three
//! rooms need it: control for what authorities issue, ops for what users bring, node for what other
//! nodes show.

mod bearer;
mod chain;
mod made;
mod nodes;
mod status;
mod supplied;

pub use bearer::{Bearer, NoBearer};
pub use chain::{Chain, InvalidChain, covers};
pub use made::{MadeError, fallback, private_key, proof, request};
pub use nodes::{InvalidRequest, NodeAuthority, NodeCredentials, NodeRequest};
pub use status::{Inquiry, InvalidAnswer, Standing};
pub use supplied::{Supplied, Unusable};
