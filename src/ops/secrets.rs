//! Change an app's secrets. Like config they make a release; unlike config, what they were set to is
//! never told again.

use std::collections::BTreeMap;

use crate::{
    model::{
        Actor, App, AppName, EnvKey, SecretValue, Timestamp,
        secret::{MAX_SECRET_BYTES, MAX_SECRETS, MAX_SECRETS_BYTES},
    },
    ops::{
        Refusal, configure,
        create::existing,
        pending::{Configured, When, settle},
    },
    store::{SealingKey, Transaction, secrets},
};

/// What is to become of one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// It has this value.
    Set(SecretValue),
    /// It has the value that the app's config has under this name, which is no config any more.
    FromConfig,
    /// It is no more.
    Unset,
}

/// Changes an app's secrets.
pub fn change(
    tx: &mut Transaction<'_>,
    sealing: &SealingKey,
    name: &AppName,
    wishes: &BTreeMap<EnvKey, Wish>,
    (when, by, now): (When, &Actor, Timestamp),
) -> Result<Configured, Refusal> {
    let before = existing(tx, name)?;
    let mut app = before.clone();
    for (key, wish) in wishes {
        let value = match wish {
            Wish::Unset => {
                app.secrets.remove(key);
                continue;
            }
            Wish::Set(_) if app.config.contains_key(key) => return Err(is_config(name, key)),
            Wish::Set(value) => value.clone(),
            Wish::FromConfig => {
                SecretValue::new(app.config.remove(key).ok_or_else(|| no_config(name, key))?)
            }
        };
        check(key, &value)?;
        if !is_like_that(tx, sealing, &app, key, &value)? {
            set(tx, sealing, &mut app, (key, &value), (by, now))?;
        }
    }
    check_size(tx, &app)?;
    Ok(settle(tx, &before, app, when, (by, now))?)
}

/// Gives a secret a new version with that value.
fn set(
    tx: &mut Transaction<'_>,
    sealing: &SealingKey,
    app: &mut App,
    (key, value): (&EnvKey, &SecretValue),
    by: (&Actor, Timestamp),
) -> Result<(), Refusal> {
    app.last_secret = app.last_secret.next();
    app.secrets.insert(key.clone(), app.last_secret);
    Ok(secrets::keep(tx, sealing, (&app.name, key, app.last_secret), value, by)?)
}

/// Whether a secret has that value already. One that does not open is set anew.
fn is_like_that(
    tx: &Transaction<'_>,
    sealing: &SealingKey,
    app: &App,
    key: &EnvKey,
    value: &SecretValue,
) -> Result<bool, Refusal> {
    let named = app.secrets.get(key).map(|version| (key.clone(), *version));
    let found = secrets::named(tx, &app.name, &named.into_iter().collect())?;
    let opened = found.iter().find_map(|secret| secrets::unseal(sealing, secret).ok());
    Ok(opened.as_ref() == Some(value))
}

fn check(key: &EnvKey, value: &SecretValue) -> Result<(), Refusal> {
    configure::check(key, value.expose())?;
    let size = value.expose().len();
    if size <= MAX_SECRET_BYTES {
        return Ok(());
    }
    let why = format!("it is {size} bytes, the limit is {MAX_SECRET_BYTES}");
    Err(Refusal::invalid(format!("value of {key}"), why)
        .hint("have the app fetch it, and keep what it needs for that as the secret"))
}

fn check_size(tx: &Transaction<'_>, app: &App) -> Result<(), Refusal> {
    let what = || format!("secrets of {}", app.name);
    if app.secrets.len() > MAX_SECRETS {
        let why = format!("they would be {}, the limit is {MAX_SECRETS}", app.secrets.len());
        return Err(Refusal::invalid(what(), why).hint("`paas secrets unset NAME` removes one"));
    }
    let kept = secrets::named(tx, &app.name, &app.secrets)?;
    let size: usize = kept.iter().map(|secret| secret.sealed.0.len()).sum();
    if size > MAX_SECRETS_BYTES {
        let why = format!("they would be {size} bytes, the limit is {MAX_SECRETS_BYTES}");
        return Err(Refusal::invalid(what(), why).hint("`paas secrets unset NAME` removes one"));
    }
    Ok(())
}

fn is_config(app: &AppName, key: &EnvKey) -> Refusal {
    Refusal::conflict(format!("secrets of {app}"), format!("{key} is in the app's config"))
        .hint(format!("`paas secrets set {key} --from-config -a {app}` makes a secret of it; to give it another value, first `paas config unset {key} -a {app}`"))
}

fn no_config(app: &AppName, key: &EnvKey) -> Refusal {
    Refusal::not_found(format!("config {key}"), format!("{app} has no such config"))
        .hint(format!("`paas config -a {app}` lists what it has"))
}

#[cfg(test)]
mod tests;
