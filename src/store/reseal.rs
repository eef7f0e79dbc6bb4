//! Sealing anew what older keys sealed: every record that has something sealed in it.
//!
//! A few records a transaction, each read and written within it, so that it can be cut at any moment and
//! begun again: what is done is done, what is not opens under the key that sealed it.

use super::{
    Record, SealingKey, Store, StoreError, Transaction, View,
    sealing::{SSH_HOST_CONTEXT, account_context, certificate_context, secret_context},
    secrets,
};
use crate::model::{AcmeAccount, Certificate, CertificateState, Secret, SshHost};

/// Seals anew all that is not under the present key, and answers how many records that were.
pub async fn reseal(store: &Store, sealing: &SealingKey) -> Result<usize, StoreError> {
    let mut records = 0;
    loop {
        let key = sealing.clone();
        match store.transact(move |tx| some(tx, &key)).await? {
            0 => return Ok(records),
            done => records += done,
        }
    }
}

/// The next few.
fn some(tx: &mut Transaction<'_>, sealing: &SealingKey) -> Result<usize, StoreError> {
    let secrets = tx.scan::<Secret>(&())?.into_iter();
    let done = renew(tx, secrets.filter_map(|secret| of_secret(secret, sealing)))?;
    let certificates = tx.scan::<Certificate>(&())?.into_iter();
    let done = done + renew(tx, certificates.filter_map(|it| of_certificate(it, sealing)))?;
    let accounts = tx.scan::<AcmeAccount>(&())?.into_iter();
    let done = done + renew(tx, accounts.filter_map(|account| of_account(account, sealing)))?;
    let host = tx.scan::<SshHost>(&())?.into_iter();
    Ok(done + renew(tx, host.filter_map(|host| of_host(host, sealing)))?)
}

fn renew<R: Record>(
    tx: &mut Transaction<'_>,
    renewed: impl Iterator<Item = R>,
) -> Result<usize, StoreError> {
    let some: Vec<R> = renewed.take(AT_ONCE).collect();
    some.iter().try_for_each(|record| tx.put(record))?;
    Ok(some.len())
}

fn of_secret(mut secret: Secret, sealing: &SealingKey) -> Option<Secret> {
    let context = secret_context(&secret.app, &secret.name, secret.version);
    secret.sealed = sealing.renewed(&context, &secret.sealed)?;
    // The digest is keyed too, so it is another one from now on.
    let value = secrets::unseal(sealing, &secret).ok()?;
    secret.digest = secrets::digest(sealing, &secret.app, &secret.name, &value);
    Some(secret)
}

fn of_certificate(mut certificate: Certificate, sealing: &SealingKey) -> Option<Certificate> {
    let context = certificate_context(&certificate.name);
    let issued = certificate.issued.as_mut().map(|issued| &mut issued.key);
    let ordered = match &mut certificate.state {
        CertificateState::Ordering { key, .. } | CertificateState::Renewing { key, .. } => {
            Some(key)
        }
        CertificateState::Wanted | CertificateState::Issued | CertificateState::Failing { .. } => {
            None
        }
    };
    let mut differs = false;
    for key in issued.into_iter().chain(ordered) {
        if let Some(renewed) = sealing.renewed(&context, key) {
            *key = renewed;
            differs = true;
        }
    }
    differs.then_some(certificate)
}

fn of_account(mut account: AcmeAccount, sealing: &SealingKey) -> Option<AcmeAccount> {
    let context = account_context(&account.directory);
    account.credentials = sealing.renewed(&context, &account.credentials)?;
    Some(account)
}

fn of_host(mut host: SshHost, sealing: &SealingKey) -> Option<SshHost> {
    host.sealed = sealing.renewed(SSH_HOST_CONTEXT, &host.sealed)?;
    Some(host)
}

/// Records of each kind in one transaction: the largest together are far below what one may write.
const AT_ONCE: usize = 20;
