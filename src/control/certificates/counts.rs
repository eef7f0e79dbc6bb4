//! The records that budgets are counted by: accounts at authorities, and what was asked for each
//! name. They outlive certificates.
//!
//! Invariant: what a budget counts is on the disk before the authority is asked.

use super::{
    budget::Limits,
    failure::{Failure, FailureKind},
};
use crate::{
    model::{
        AcmeAccount, Certificate, CertificateHistory, CertificateState, DomainName, Sealed,
        Timestamp,
    },
    store::{StoreError, Transaction, View},
};

type Tx<'a, 'b> = &'a mut Transaction<'b>;

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
    if let Some(certificate) = tx.get::<Certificate>(&name.as_str().to_owned())? {
        history.attempts = attempts(&certificate.state, history.attempts);
    }
    tx.put(&history)
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
pub(super) fn failed(
    tx: Tx<'_, '_>,
    name: &DomainName,
    failure: &Failure,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut history = history(tx, name, now)?;
    match failure.kind {
        FailureKind::Preflight | FailureKind::Ours => return Ok(()),
        FailureKind::Proof | FailureKind::Interrupted => {
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

/// A certificate came: the name's count of failures begins anew.
pub(super) fn issued(
    tx: Tx<'_, '_>,
    name: &DomainName,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut history = history(tx, name, now)?;
    history.issued = limits.duplicates.recent(&history.issued, now);
    history.issued.push(now);
    history.refused.clear();
    history.faults = 0;
    tx.put(&history)
}

/// How many attempts in a row had failed in this state; `placed` is what was kept with an order.
pub(super) fn attempts(state: &CertificateState, placed: u32) -> u32 {
    match state {
        CertificateState::Wanted | CertificateState::Issued => 0,
        CertificateState::Failing { attempts, .. } => *attempts,
        CertificateState::Ordering { .. } | CertificateState::Renewing { .. } => placed,
    }
}

pub(super) fn history(
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
