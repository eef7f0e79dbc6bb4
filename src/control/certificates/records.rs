//! The records of certificates, and every way in which control changes them, each one transaction.
//!
//! Invariant: what a budget counts is on the disk before the authority is asked.

use super::{
    backoff,
    budget::Limits,
    failure::{Failure, FailureKind},
};
use crate::{
    model::{
        AcmeAccount, Actor, AppName, Certificate, CertificateHistory, CertificateSource,
        CertificateState, DomainName, EventKind, Issued, Sealed, Timestamp,
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

/// An order is about to be placed: it counts from now on, whatever comes of it.
pub(super) fn begin(
    tx: Tx<'_, '_>,
    name: &DomainName,
    directory: &str,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut account = account(tx, directory, now)?;
    account.orders = limits.orders.recent(&account.orders, now);
    account.orders.push(now);
    tx.put(&account)?;
    let mut history = history(tx, name, now)?;
    if let Some(certificate) = find(tx, name)? {
        history.attempts = attempts(&certificate.state, history.attempts);
    }
    tx.put(&history)
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
    let mut history = history(tx, name, now)?;
    history.issued = limits.duplicates.recent(&history.issued, now);
    history.issued.push(now);
    history.refused.clear();
    history.faults = 0;
    tx.put(&history)?;
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
    count(tx, name, failure, limits, now)?;
    let Some(mut certificate) = find(tx, name)? else { return Ok(()) };
    if certificate.state != *seen || certificate.source != CertificateSource::Acme {
        return Ok(());
    }
    let preflight = failure.kind == FailureKind::Preflight;
    let wait = if preflight { backoff::after_preflight } else { backoff::after };
    let before = attempts(seen, history(tx, name, now)?.attempts);
    let attempts = before.saturating_add(1);
    let delay = wait(attempts).max(failure.patience.unwrap_or_default());
    certificate.state = CertificateState::Failing {
        attempts,
        reason: failure.reason.clone(),
        hint: failure.hint.clone(),
        next: now.plus(delay),
    };
    tx.put(&certificate)?;
    if attempts > 1 && wait(attempts) == wait(attempts - 1) {
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

/// Keeps an account's credentials.
pub(super) fn registered(
    tx: Tx<'_, '_>,
    directory: &str,
    credentials: Sealed,
    now: Timestamp,
) -> Result<(), StoreError> {
    let account = account(tx, directory, now)?;
    tx.put(&AcmeAccount { credentials, ..account })
}

/// What a failure means for budgets and for whom to ask next.
fn count(
    tx: Tx<'_, '_>,
    name: &DomainName,
    failure: &Failure,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut history = history(tx, name, now)?;
    match failure.kind {
        FailureKind::Preflight | FailureKind::Ours => return Ok(()),
        FailureKind::Proof => {
            history.refused = limits.refusals.recent(&history.refused, now);
            history.refused.push(now);
        }
        FailureKind::Name => {}
        FailureKind::Authority | FailureKind::Account => {
            history.faults = history.faults.saturating_add(1);
        }
    }
    tx.put(&history)
}

/// Leaves an authority alone for as long as it asks; an account that it does not know is dropped.
pub(super) fn leave_alone(
    tx: Tx<'_, '_>,
    directory: &str,
    failure: &Failure,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(patience) = failure.patience else { return Ok(()) };
    let mut account = account(tx, directory, now)?;
    account.not_before = account.not_before.max(Some(now.plus(patience)));
    if failure.kind == FailureKind::Account {
        account.credentials = Sealed(String::new());
    }
    tx.put(&account)
}

/// How many attempts in a row had failed in this state; `placed` is what was kept with an order.
fn attempts(state: &CertificateState, placed: u32) -> u32 {
    match state {
        CertificateState::Wanted | CertificateState::Issued => 0,
        CertificateState::Failing { attempts, .. } => *attempts,
        CertificateState::Ordering { .. } | CertificateState::Renewing { .. } => placed,
    }
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

fn history(
    tx: Tx<'_, '_>,
    name: &DomainName,
    now: Timestamp,
) -> Result<CertificateHistory, StoreError> {
    let found = tx.get::<CertificateHistory>(&name.as_str().to_owned())?;
    Ok(found.unwrap_or_else(|| CertificateHistory {
        name: name.clone(),
        since: now,
        issued: Vec::new(),
        refused: Vec::new(),
        attempts: 0,
        faults: 0,
    }))
}

fn account(tx: Tx<'_, '_>, directory: &str, now: Timestamp) -> Result<AcmeAccount, StoreError> {
    let found = tx.get::<AcmeAccount>(&directory.to_owned())?;
    Ok(found.unwrap_or_else(|| AcmeAccount {
        directory: directory.to_owned(),
        credentials: Sealed(String::new()),
        created_at: now,
        orders: Vec::new(),
        not_before: None,
    }))
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
