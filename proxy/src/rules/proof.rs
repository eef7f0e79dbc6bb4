//! Paths that the edge answers itself: proofs for certificate authorities (RFC 8555 section 8.3).
//!
//! They come before everything else, because an authority asks over plain HTTP and for hosts that
//! may have no site yet. It does not know what a proof is.

use crate::certificates::Certificates;
use crate::refusal::Refusal;
use crate::rules::Asked;

/// The edge's own answer, if it has one for this host and path.
pub(crate) fn check(certificates: &Certificates, asked: &Asked<'_>) -> Result<(), Refusal> {
    // While nothing is being proven, which is nearly always, this is all it costs.
    if certificates.answers.is_empty() {
        return Ok(());
    }
    let key = (asked.host.clone(), asked.bare_path().into());
    match certificates.answers.get(&key) {
        None => Ok(()),
        Some(_) if !asked.only_reads() => Err(Refusal::OnlyRead),
        Some(text) => Err(Refusal::Proof(text.clone())),
    }
}
