//! The records of certificates, and every way in which control changes them, each in a transaction.
//!
//! Invariant: what a user has changed meanwhile is not overwritten by an attempt that failed.

use std::time::Duration;

use super::{
    backoff,
    budget::Limits,
    counts,
    failure::{Failure, FailureKind},
};
use crate::{
    model::{
        Actor, AppName, Certificate, CertificateSource, CertificateState, DomainName, EventKind,
        Issued, Sealed, Timestamp,
    },
    store::{StoreError, Transaction, View, diary},
};

type Tx<'a, 'b> = &'a mut Transaction<'b>;

/// A record for a name that has none.
pub(super) fn want(tx: Tx<'_, '_>, name: &DomainName) -> Result<(), StoreError> {
    if find(tx, name)?.is_some() {
        return Ok(());
    }
    tx.put(&Certificate {
        name: name.clone(),
        source: CertificateSource::Acme,
        state: CertificateState::Wanted,
        issued: None,
        alarms: Vec::new(),
    })
}

/// The record goes, if it is ours.
pub(super) fn forget(tx: Tx<'_, '_>, name: &DomainName) -> Result<(), StoreError> {
    match find(tx, name)? {
        Some(certificate) if certificate.source == CertificateSource::Acme => {
            tx.delete::<Certificate>(&name.as_str().to_owned())
        }
        _ => Ok(()),
    }
}

/// What was issued cannot be used any more: another one is wanted.
pub(super) fn reset(tx: Tx<'_, '_>, name: &DomainName) -> Result<(), StoreError> {
    change(tx, name, |certificate| {
        certificate.issued = None;
        certificate.state = CertificateState::Wanted;
    })
}

/// An order was placed: from now on it is gone on with.
pub(super) fn ordered(
    tx: Tx<'_, '_>,
    name: &DomainName,
    (directory, order, key): (String, String, Sealed),
    now: Timestamp,
) -> Result<(), StoreError> {
    change(tx, name, |certificate| {
        let since = now;
        certificate.state = match certificate.issued {
            None => CertificateState::Ordering { directory, order, key, since },
            Some(_) => CertificateState::Renewing { directory, order, key, since },
        };
    })
}

/// A certificate came.
pub(super) fn issued(
    tx: Tx<'_, '_>,
    name: &DomainName,
    issued: Issued,
    app: Option<&AppName>,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(before) = find(tx, name)? else { return Ok(()) };
    if before.source != CertificateSource::Acme {
        return Ok(());
    }
    let verb = if before.issued.is_some() { "renewed" } else { "issued" };
    let end = issued.not_after.to_string();
    let text = format!(
        "certificate of {name} {verb} by {}, good until {}",
        issued.issuer,
        end.get(..10).unwrap_or(&end)
    );
    counts::issued(tx, name, limits, now)?;
    tx.put(&Certificate {
        state: CertificateState::Issued,
        issued: Some(issued),
        alarms: Vec::new(),
        ..before
    })?;
    tell(tx, app, text, now)
}

/// An attempt failed. `seen` is the state in which it went on last: if a user has changed it since,
/// that wins.
pub(super) fn failed(
    tx: Tx<'_, '_>,
    name: &DomainName,
    seen: &CertificateState,
    failure: &Failure,
    app: Option<&AppName>,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), StoreError> {
    counts::failed(tx, name, failure, limits, now)?;
    let Some(mut certificate) = find(tx, name)? else { return Ok(()) };
    if certificate.state != *seen || certificate.source != CertificateSource::Acme {
        return Ok(());
    }
    let wait = match failure.kind {
        FailureKind::Preflight => backoff::after_preflight,
        FailureKind::Interrupted => |_| Duration::ZERO,
        FailureKind::Proof
        | FailureKind::Name
        | FailureKind::Authority
        | FailureKind::Account
        | FailureKind::Ours => backoff::after,
    };
    let before = counts::attempts(seen, counts::history(tx, name, now)?.attempts);
    let attempts = before.saturating_add(1);
    let delay = wait(attempts).max(failure.patience.unwrap_or_default());
    certificate.state = CertificateState::Failing {
        attempts,
        reason: failure.reason.clone(),
        hint: failure.hint.clone(),
        next: now.plus(delay),
    };
    tx.put(&certificate)?;
    // Every step of the back-off is told, not every attempt.
    if wait(attempts) == before.checked_sub(1).map_or(Duration::ZERO, |_| wait(before)) {
        return Ok(());
    }
    let kept = if certificate.issued.is_some() { "; the present one stays" } else { "" };
    let text = format!("certificate of {name} failed: {}{kept}", failure.reason);
    tell(tx, app, text, now)
}

/// People are told that a certificate is about to end; alarms that are overtaken count as given.
pub(super) fn alarm(
    tx: Tx<'_, '_>,
    name: &DomainName,
    days: u16,
    app: Option<&AppName>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut certificate) = find(tx, name)? else { return Ok(()) };
    let Some(issued) = &certificate.issued else { return Ok(()) };
    let text = format!("certificate of {name} ends at {}", issued.not_after);
    certificate.alarms.extend(super::plan::ALARMS.into_iter().filter(|other| *other >= days));
    certificate.alarms.sort_unstable_by(|a, b| b.cmp(a));
    certificate.alarms.dedup();
    tx.put(&certificate)?;
    tell(tx, app, text, now)
}

/// The authority wants the certificate with this serial number to be renewed then.
pub(super) fn renew_at(
    tx: Tx<'_, '_>,
    name: &DomainName,
    serial: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    change(tx, name, |certificate| {
        if let Some(issued) = certificate.issued.as_mut().filter(|issued| issued.serial == serial) {
            issued.renew_at = Some(at);
        }
    })
}

fn find(tx: Tx<'_, '_>, name: &DomainName) -> Result<Option<Certificate>, StoreError> {
    tx.get::<Certificate>(&name.as_str().to_owned())
}

fn change(
    tx: Tx<'_, '_>,
    name: &DomainName,
    change: impl FnOnce(&mut Certificate),
) -> Result<(), StoreError> {
    let found = find(tx, name)?.filter(|found| found.source == CertificateSource::Acme);
    let Some(mut certificate) = found else { return Ok(()) };
    change(&mut certificate);
    tx.put(&certificate)
}

fn tell(
    tx: Tx<'_, '_>,
    app: Option<&AppName>,
    text: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    match app {
        Some(app) => diary::write(tx, app, EventKind::Certificate, text, &Actor::platform(), now),
        None => {
            tracing::warn!(event = %text, "a certificate of the platform's own");
            Ok(())
        }
    }
}
