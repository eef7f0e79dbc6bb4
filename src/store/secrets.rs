//! Secrets as records: sealed when they are kept, opened for whoever delivers them, forgotten once
//! nothing names them. What seals and what stores happen in one transaction, so that a new sealing key
//! finds every record (see `sealing`).

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::{
    Record, SealingError, SealingKey, StoreError, Transaction, View, sealing::secret_context,
};
use crate::model::{
    Actor, App, AppName, EnvKey, OpenSecrets, Release, Secret, SecretValue, SecretVersion, Secrets,
    Timestamp,
};

/// Why secrets cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenSecretsError {
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A version that is named is not there.
    #[error("the secret {name} of {app} is not on record any more")]
    Gone {
        /// Whose.
        app: AppName,
        /// Which.
        name: EnvKey,
    },
    /// It does not open.
    #[error("the secret {name} of {app} cannot be opened")]
    Sealed {
        /// Whose.
        app: AppName,
        /// Which.
        name: EnvKey,
        /// Why.
        #[source]
        source: SealingError,
    },
}

/// Keeps a value under a version that was never used before.
pub fn keep(
    tx: &mut Transaction<'_>,
    sealing: &SealingKey,
    (app, name, version): (&AppName, &EnvKey, SecretVersion),
    value: &SecretValue,
    (by, now): (&Actor, Timestamp),
) -> Result<(), StoreError> {
    let bytes = value.expose().as_bytes();
    tx.put(&Secret {
        app: app.clone(),
        name: name.clone(),
        version,
        sealed: sealing.seal(&secret_context(app, name, version), bytes),
        digest: digest(sealing, app, name, value),
        set_at: now,
        by: by.clone(),
    })
}

/// Makes a secret of 32 random bytes, unless the app has one of that name, or config; whoever stores the
/// app stores that too.
pub fn generate(
    tx: &mut Transaction<'_>,
    sealing: &SealingKey,
    app: &mut App,
    name: &EnvKey,
    by: (&Actor, Timestamp),
) -> Result<(), StoreError> {
    if app.secrets.contains_key(name) || app.config.contains_key(name) {
        return Ok(());
    }
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
    app.last_secret = app.last_secret.next();
    app.secrets.insert(name.clone(), app.last_secret);
    let value = SecretValue::new(hex::encode(*bytes));
    keep(tx, sealing, (&app.name, name, app.last_secret), &value, by)
}

/// The digest that [`Secret`] carries.
pub fn digest(sealing: &SealingKey, app: &AppName, name: &EnvKey, value: &SecretValue) -> String {
    sealing.digest(&format!("{app}|{name}"), value.expose().as_bytes())
}

/// The versions that `secrets` names, by name; one that is not on record is left out.
pub fn named(
    view: &impl View,
    app: &AppName,
    secrets: &Secrets,
) -> Result<Vec<Secret>, StoreError> {
    let key = |(name, version): (&EnvKey, &SecretVersion)| {
        (app.as_str().to_owned(), name.as_str().to_owned(), u64::from(version.0))
    };
    let found = secrets.iter().map(|one| view.get::<Secret>(&key(one)));
    found.filter_map(Result::transpose).collect()
}

/// The values that `secrets` names, all of them.
pub fn open(
    view: &impl View,
    sealing: &SealingKey,
    app: &AppName,
    secrets: &Secrets,
) -> Result<OpenSecrets, OpenSecretsError> {
    let mut opened = OpenSecrets::new();
    for secret in named(view, app, secrets)? {
        let name = secret.name.clone();
        let value = unseal(sealing, &secret).map_err(|source| {
            let (app, name) = (app.clone(), name.clone());
            OpenSecretsError::Sealed { app, name, source }
        })?;
        opened.insert(name, value);
    }
    match secrets.keys().find(|name| !opened.contains_key(*name)) {
        Some(name) => Err(OpenSecretsError::Gone { app: app.clone(), name: name.clone() }),
        None => Ok(opened),
    }
}

/// The value of one record.
pub fn unseal(sealing: &SealingKey, secret: &Secret) -> Result<SecretValue, SealingError> {
    let context = secret_context(&secret.app, &secret.name, secret.version);
    let bytes = sealing.unseal(&context, &secret.sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SealingError::Format)?;
    Ok(SecretValue::new(text.to_owned()))
}

/// Drops the versions that neither the app nor any of its releases names.
pub fn forget_unnamed(tx: &mut Transaction<'_>, app: &App) -> Result<(), StoreError> {
    let releases = tx.scan::<Release>(app.name.as_str())?;
    let named = releases.iter().flat_map(|release| release.secrets.values());
    let named: BTreeSet<SecretVersion> = named.chain(app.secrets.values()).copied().collect();
    for secret in tx.scan::<Secret>(app.name.as_str())? {
        if !named.contains(&secret.version) {
            tx.delete::<Secret>(&secret.key())?;
        }
    }
    Ok(())
}

/// Drops all of an app's.
pub fn forget_all(tx: &mut Transaction<'_>, app: &AppName) -> Result<(), StoreError> {
    for secret in tx.scan::<Secret>(app.as_str())? {
        tx.delete::<Secret>(&secret.key())?;
    }
    Ok(())
}
