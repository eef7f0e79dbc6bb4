//! What of an app's config and secrets is in no release yet, and the making of one.
//!
//! An app's config and secrets are those of its next release, whatever makes it. What is staged is
//! therefore no record of its own: it is where the app differs from the release that serves, or that is on
//! its way. A change whose release failed is found there too, until it is made again or discarded.

use std::collections::BTreeMap;

use crate::{
    model::{
        Actor, App, AppName, Cause, EnvKey, EventKind, Phase, Release, ReleaseVersion, Rollout,
        RolloutNumber, SecretVersion, Timestamp,
    },
    ops::{Refusal, create::existing},
    store::{
        StoreError, Transaction, View, diary,
        releasing::{self, Draft},
    },
};

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As a release of its own.
    Now,
    /// With the next release, whatever makes it.
    Later,
}

/// What a change of config or secrets led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Configured {
    /// Nothing differs from what is released.
    Unchanged,
    /// It waits for the first deploy.
    Kept,
    /// It waits for the next release.
    Staged,
    /// It is a release, on its way.
    Released(ReleaseVersion, RolloutNumber),
}

/// The names in which an app differs from a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// New, or with another value.
    pub set: Vec<EnvKey>,
    /// Not there any more.
    pub unset: Vec<EnvKey>,
}

impl Pending {
    /// Between an app and the release that its next one follows.
    pub fn of(app: &App, base: &Release) -> Self {
        let next = variables(&app.config, &app.secrets);
        let last = variables(&base.config, &base.secrets);
        let set = next.iter().filter(|(name, value)| last.get(*name) != Some(*value));
        let unset = last.keys().filter(|name| !next.contains_key(*name));
        Self {
            set: set.map(|(name, _)| (*name).clone()).collect(),
            unset: unset.map(|name| (*name).clone()).collect(),
        }
    }

    fn is_none(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    fn cause(self) -> Cause {
        Cause::Config { set: self.set, unset: self.unset }
    }
}

/// A variable's value, as far as it is needed to tell whether it is another one.
#[derive(PartialEq, Eq)]
enum Value<'a> {
    Plain(&'a str),
    Secret(SecretVersion),
}

fn variables<'a>(
    config: &'a crate::model::Config,
    secrets: &'a crate::model::Secrets,
) -> BTreeMap<&'a EnvKey, Value<'a>> {
    let plain = config.iter().map(|(name, value)| (name, Value::Plain(value)));
    plain.chain(secrets.iter().map(|(name, version)| (name, Value::Secret(*version)))).collect()
}

/// What a new config is put on: the release that is on its way, else the one that serves. A release
/// that failed, or is being undone, is not tried again by setting a variable.
pub fn base(view: &impl View, app: &App) -> Result<Option<Release>, StoreError> {
    let under_way = releasing::under_way(view, app)?;
    let undone = |rollout: &Rollout| matches!(rollout.phase, Phase::Reverting { .. });
    let target = under_way.filter(|rollout| !undone(rollout)).map(|rollout| rollout.to);
    match target.or(app.current) {
        Some(incarnation) => {
            let key = (app.name.as_str().to_owned(), u64::from(incarnation.release.0));
            view.get::<Release>(&key)
        }
        None => Ok(None),
    }
}

/// Stores `app`, which was `before`, and makes a release of it if there is one already.
pub(super) fn settle(
    tx: &mut Transaction<'_>,
    before: &App,
    mut app: App,
    when: When,
    (by, now): (&Actor, Timestamp),
) -> Result<Configured, StoreError> {
    let base = base(tx, &app)?;
    let pending = base.as_ref().map(|base| Pending::of(&app, base));
    if let (Some(base), Some(pending), When::Now) = (&base, &pending, when)
        && !pending.is_none()
    {
        let draft = Draft::again(base, &app, pending.clone().cause());
        let (version, rollout) = releasing::release(tx, app, draft, by, now)?;
        return Ok(Configured::Released(version, rollout));
    }
    if app == *before {
        return Ok(match (&pending, when) {
            (Some(pending), When::Later) if !pending.is_none() => Configured::Staged,
            _ => Configured::Unchanged,
        });
    }
    app.generation += 1;
    tx.put(&app)?;
    let kept = pending.is_none();
    let unreleased = pending.clone().filter(|pending| !pending.is_none());
    let text = match unreleased {
        Some(pending) => format!("Staged for the next release: {}", pending.cause()),
        None if kept => "Config was changed before the first release".to_owned(),
        None => "What was staged was taken back".to_owned(),
    };
    diary::write(tx, &app.name, EventKind::Config, text, by, now)?;
    Ok(match pending {
        None => Configured::Kept,
        Some(pending) if pending.is_none() => Configured::Unchanged,
        Some(_) => Configured::Staged,
    })
}

/// Makes a release of what is staged.
pub fn apply(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<Configured, Refusal> {
    let app = existing(tx, name)?;
    if base(tx, &app)?.is_none() {
        return Err(Refusal::conflict(format!("config of {name}"), "nothing is released yet")
            .hint("the first `paas deploy` takes it along"));
    }
    Ok(settle(tx, &app.clone(), app, When::Now, (by, now))?)
}

/// Goes back to the config and the secrets of the last release, and answers what that changed.
pub fn discard(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<Configured, Refusal> {
    let mut app = existing(tx, name)?;
    let base = base(tx, &app)?.ok_or_else(|| {
        Refusal::conflict(format!("config of {name}"), "there is no release to go back to")
            .hint("`paas config unset NAME` removes a variable")
    })?;
    let before = app.clone();
    app.config = base.config;
    app.secrets = base.secrets;
    Ok(settle(tx, &before, app, When::Later, (by, now))?)
}
