//! Change an app's config. If there is a release already, a new one is made of it and rolled out.

use std::collections::BTreeMap;

use crate::{
    model::{Actor, AppName, Config, EnvKey, Timestamp, release::MAX_CONFIG_BYTES},
    ops::{
        Refusal,
        create::existing,
        pending::{Configured, When, settle},
    },
    store::Transaction,
};

/// Sets (`Some`) and removes (`None`) variables.
pub fn configure(
    tx: &mut Transaction<'_>,
    name: &AppName,
    patch: &BTreeMap<EnvKey, Option<String>>,
    when: When,
    (by, now): (&Actor, Timestamp),
) -> Result<Configured, Refusal> {
    let before = existing(tx, name)?;
    let mut app = before.clone();
    for (key, value) in patch {
        match value {
            Some(value) => {
                check(key, value)?;
                if app.secrets.contains_key(key) {
                    return Err(is_secret(name, key));
                }
                app.config.insert(key.clone(), value.clone());
            }
            None => drop(app.config.remove(key)),
        }
    }
    check_size(name, &app.config)?;
    Ok(settle(tx, &before, app, when, (by, now))?)
}

fn is_secret(app: &AppName, key: &EnvKey) -> Refusal {
    Refusal::conflict(format!("config of {app}"), format!("{key} is a secret")).hint(format!(
        "`paas secrets set {key} -a {app}` changes it; to have it in the open, first \
         `paas secrets unset {key} -a {app}`"
    ))
}

/// A value that no environment can hold is refused.
pub(super) fn check(key: &EnvKey, value: &str) -> Result<(), Refusal> {
    if value.contains('\0') {
        return Err(Refusal::invalid(format!("value of {key}"), "it contains a zero byte")
            .hint("no environment can hold one; encode the value, for example with base64"));
    }
    Ok(())
}

fn check_size(name: &AppName, config: &Config) -> Result<(), Refusal> {
    let size: usize = config.iter().map(|(key, value)| key.as_str().len() + value.len()).sum();
    if size <= MAX_CONFIG_BYTES {
        return Ok(());
    }
    Err(Refusal::invalid(
        format!("config of {name}"),
        format!("it would be {size} bytes, the limit is {MAX_CONFIG_BYTES}"),
    )
    .hint("put large values into a file of the app"))
}
