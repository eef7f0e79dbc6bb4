//! Certificates on record, opened for the edge: in every pass, and once before the edge accepts
//! anybody, so that a daemon that has just started greets its first visitor as the last one did.
//!
//! It changes no record: what to do about a key that does not open is the task's affair.

use std::borrow::Cow;

use super::issuer;
use crate::{
    model::{Certificate, Issued, IssuerWord, Timestamp, Vouched},
    pki,
    store::{SealingKey, StoreError, View, sealing::certificate_context},
    telemetry::chain,
};

/// Every certificate on record that opens, and one for hosts that have none.
pub fn on_record(
    view: &impl View,
    sealing: &SealingKey,
    now: Timestamp,
) -> Result<proxy::Certificates, StoreError> {
    let fallback = pki::fallback().inspect_err(|error| {
        tracing::error!(error = %chain(error), "the edge refuses TLS for unknown hosts");
    });
    let (certificates, words) = (view.scan::<Certificate>(&())?, view.scan::<IssuerWord>(&())?);
    let hosts = certificates.iter().filter_map(|certificate| {
        let host = certificate.name.as_str().parse().ok()?;
        let word = issuer::word(&words, certificate, now);
        Some((host, open(sealing, certificate, certificate.issued.as_ref()?, word)?))
    });
    Ok(proxy::Certificates {
        hosts: hosts.collect(),
        fallback: fallback.ok(),
        ..proxy::Certificates::default()
    })
}

/// What makes two of what is presented the same.
pub(super) fn mark<'a>(issued: &'a Issued, word: Option<&Vouched>) -> Cow<'a, str> {
    match word {
        // A sealed key is like no other.
        None => issued.key.0.as_str().into(),
        Some(word) => format!("{} {}", issued.key.0, word.from).into(),
    }
}

/// What was issued with its key and its issuer's word; `None` if they cannot be used.
pub(super) fn open(
    sealing: &SealingKey,
    certificate: &Certificate,
    issued: &Issued,
    word: Option<&Vouched>,
) -> Option<proxy::Certificate> {
    let key = sealing.unseal(&certificate_context(&certificate.name), &issued.key).ok()?;
    let usable =
        proxy::Certificate::from_pem(&issued.chain, std::str::from_utf8(&key).ok()?).ok()?;
    Some(match word.and_then(issuer::response) {
        Some(response) => usable.with_ocsp(response),
        None => usable,
    })
}
