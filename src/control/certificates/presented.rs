//! Certificates on record, opened for the edge: in every pass, and once before the edge accepts
//! anybody, so that a daemon that has just started greets its first visitor as the last one did.
//!
//! It changes no record: what to do about a key that does not open is the task's affair.

use crate::{
    model::{Certificate, Issued},
    pki,
    store::{SealingKey, StoreError, View, sealing::certificate_context},
    telemetry::chain,
};

/// Every certificate on record that opens, and one for hosts that have none.
pub fn on_record(
    view: &impl View,
    sealing: &SealingKey,
) -> Result<proxy::Certificates, StoreError> {
    let fallback = pki::fallback().inspect_err(|error| {
        tracing::error!(error = %chain(error), "the edge refuses TLS for unknown hosts");
    });
    let certificates = view.scan::<Certificate>(&())?;
    let hosts = certificates.iter().filter_map(|certificate| {
        let host = certificate.name.as_str().parse().ok()?;
        Some((host, open(sealing, certificate, certificate.issued.as_ref()?)?))
    });
    Ok(proxy::Certificates {
        hosts: hosts.collect(),
        fallback: fallback.ok(),
        ..proxy::Certificates::default()
    })
}

/// What was issued with its key; `None` if they cannot be used.
pub(super) fn open(
    sealing: &SealingKey,
    certificate: &Certificate,
    issued: &Issued,
) -> Option<proxy::Certificate> {
    let key = sealing.unseal(&certificate_context(&certificate.name), &issued.key).ok()?;
    proxy::Certificate::from_pem(&issued.chain, std::str::from_utf8(&key).ok()?).ok()
}
