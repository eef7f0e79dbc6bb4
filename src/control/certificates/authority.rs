//! Accounts at authorities, and what is asked of them besides orders.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::{Executor, backoff, counts, failure::Failure, records};
use crate::{
    acme::Account,
    clock,
    model::{AcmeAccount, Certificate, DomainName},
    store::{StoreError, Transaction, View, sealing::account_context},
    telemetry::chain,
};

impl Executor {
    /// The account at an authority, made when it is first needed and once for all who ask.
    pub(super) async fn account(&self, directory: &str) -> Result<Account, Failure> {
        let cell = self.accounts().entry(directory.to_owned()).or_default().clone();
        cell.get_or_try_init(|| self.enter(directory)).await.cloned()
    }

    async fn enter(&self, directory: &str) -> Result<Account, Failure> {
        let settings = &self.settings.acme;
        let failed = |error| Failure::authority(&error);
        let context = account_context(directory);
        let known = self.store.snapshot().get::<AcmeAccount>(&directory.to_owned())?;
        let known = known.filter(|account| !account.credentials.0.is_empty());
        if let Some(account) = known {
            match self.sealing.unseal(&context, &account.credentials) {
                Ok(credentials) => {
                    let text = String::from_utf8_lossy(&credentials);
                    let text = Zeroizing::new(text.into_owned());
                    return Account::restore(directory, &text, settings).await.map_err(failed);
                }
                // A new account costs nothing, and the records of orders stay.
                Err(error) => tracing::warn!(directory, %error, "an account is made anew"),
            }
        }
        let (account, credentials) =
            Account::register(directory, settings).await.map_err(failed)?;
        let sealed = self.sealing.seal(&context, credentials.as_bytes());
        let (at, now) = (directory.to_owned(), clock::now());
        self.store.transact(move |tx| counts::registered(tx, &at, sealed, now)).await?;
        Ok(account)
    }

    /// Asks when a certificate is to be renewed. An authority that does not answer costs nothing: two
    /// thirds of the life stand on record.
    pub(super) async fn ask_window(&self, name: &DomainName) {
        if let Err(error) = self.window(name).await {
            tracing::warn!(%name, error = %chain(&error), "the time of renewal stays as it is");
        }
    }

    async fn window(&self, name: &DomainName) -> Result<(), StoreError> {
        let found = self.store.snapshot().get::<Certificate>(&name.as_str().to_owned())?;
        let Some(issued) = found.and_then(|found| found.issued) else { return Ok(()) };
        let Some(directory) = self.settings.directories.first() else { return Ok(()) };
        let Ok(account) = self.account(directory).await else { return Ok(()) };
        let Ok(Some(window)) = account.window(&issued.chain).await else { return Ok(()) };
        let (at, name) = (backoff::within(name, window), name.clone());
        let work = move |tx: &mut Transaction<'_>| records::renew_at(tx, &name, &issued.serial, at);
        self.store.transact(work).await
    }

    pub(super) fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<OnceCell<Account>>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
