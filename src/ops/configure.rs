//! Change an app's config. If there is a release already, a new one is made of it and rolled out.

use std::collections::BTreeMap;

use crate::{
    model::{
        Actor, App, AppName, Cause, Config, EnvKey, Release, ReleaseVersion, RolloutNumber,
        Timestamp, release::MAX_CONFIG_BYTES,
    },
    ops::{Refusal, create::existing},
    store::{
        Transaction, View,
        releasing::{self, Draft},
    },
};

/// What a change of config led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Configured {
    /// Nothing differs.
    Unchanged,
    /// It waits for the first deploy.
    Kept,
    /// It is a release, on its way.
    Released(ReleaseVersion, RolloutNumber),
}

/// Sets (`Some`) and removes (`None`) variables.
pub fn configure(
    tx: &mut Transaction<'_>,
    name: &AppName,
    patch: &BTreeMap<EnvKey, Option<String>>,
    by: &Actor,
    now: Timestamp,
) -> Result<Configured, Refusal> {
    let mut app = existing(tx, name)?;
    let before = app.config.clone();
    let (mut set, mut unset) = (Vec::new(), Vec::new());
    for (key, value) in patch {
        match value {
            Some(value) => {
                check(key, value)?;
                if app.config.insert(key.clone(), value.clone()).as_ref() != Some(value) {
                    set.push(key.clone());
                }
            }
            None => unset.extend(app.config.remove(key).map(|_| key.clone())),
        }
    }
    if app.config == before {
        return Ok(Configured::Unchanged);
    }
    check_size(name, &app.config)?;
    match base(tx, &app)? {
        None => {
            app.generation += 1;
            tx.put(&app)?;
            Ok(Configured::Kept)
        }
        Some(release) => {
            let draft = Draft::again(&release, app.config.clone(), Cause::Config { set, unset });
            let (version, rollout) = releasing::release(tx, app, draft, by, now)?;
            Ok(Configured::Released(version, rollout))
        }
    }
}

/// What a new config is put on: the release that is on its way, else the one that serves. A release
/// that failed is not tried again by setting a variable.
fn base(tx: &Transaction<'_>, app: &App) -> Result<Option<Release>, Refusal> {
    let target = releasing::under_way(tx, app)?.map(|rollout| rollout.to);
    match target.or(app.current) {
        Some(incarnation) => {
            let key = (app.name.as_str().to_owned(), u64::from(incarnation.release.0));
            Ok(tx.get::<Release>(&key)?)
        }
        None => Ok(None),
    }
}

fn check(key: &EnvKey, value: &str) -> Result<(), Refusal> {
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
