//! Paths that the edge answers itself: proofs for certificate authorities (RFC 8555 section 8.3).
//!
//! They come before everything else, because an authority asks over plain HTTP and for hosts that
//! may have no site yet. It does not know what a proof is.

use crate::refusal::Refusal;
use crate::rules::Asked;
use crate::tls::Presented;

/// The edge's own answer, if it has one for this host and path.
pub(crate) fn check(presented: &Presented, asked: &Asked<'_>) -> Result<(), Refusal> {
    match presented.answer(asked.host, asked.bare_path()) {
        None => Ok(()),
        Some(_) if !asked.only_reads() => Err(Refusal::OnlyRead),
        Some(text) => Err(Refusal::Proof(text.clone())),
    }
}
