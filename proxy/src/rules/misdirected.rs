//! Requests for one site on a connection that was opened for another (RFC 9110 section 15.5.20).
//!
//! Clients reuse a connection for every name that its certificate covers, and some for more; what
//! is encrypted for one site's certificate must not be answered as another's.

use crate::refusal::Refusal;
use crate::rules::Asked;
use crate::tls::{Presented, Session};

/// Whether the connection's certificate may speak for the host.
pub(crate) fn check(
    session: Option<&Session>,
    presented: &Presented,
    asked: &Asked<'_>,
) -> Result<(), Refusal> {
    match session {
        Some(session) if session.is_misdirected(asked.host, presented) => {
            Err(Refusal::Misdirected(asked.host.clone()))
        }
        Some(_) | None => Ok(()),
    }
}
