//! Go back: a new release that equals an older one, code, config and secrets; or, while the one before
//! stands by, to that as it is.

use crate::{
    model::{
        Actor, App, AppName, Cause, Phase, Release, ReleaseVersion, Rollout, RolloutNumber,
        Timestamp,
    },
    ops::{Refusal, abort, create::existing},
    store::{
        Transaction, View,
        releasing::{self, Draft},
    },
};

/// Where a rollback leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To a new release that equals an older one.
    Again(ReleaseVersion, RolloutNumber),
    /// To the one that the rollout under way began with; that rollout is given up.
    Back(ReleaseVersion, RolloutNumber),
}

/// Makes a new release of `to`, or of the last one before the current that once served. What a rollout
/// under way began with is not made again: it serves still, or stands by.
pub fn rollback(
    tx: &mut Transaction<'_>,
    name: &AppName,
    to: Option<ReleaseVersion>,
    by: &Actor,
    now: Timestamp,
) -> Result<Way, Refusal> {
    let mut app = existing(tx, name)?;
    if let Some(rollout) = releasing::under_way(tx, &app)?
        && let Some(from) = abort::way_back(&rollout)
        && to.is_none_or(|to| to == from.release)
    {
        let number = rollout.number;
        abort::go_back(tx, app, rollout, format!("rolled back by {by}"), by, now)?;
        return Ok(Way::Back(from.release, number));
    }
    let to = match to {
        Some(version) => version,
        None => last_good(tx, &app)?,
    };
    let key = (name.as_str().to_owned(), u64::from(to.0));
    let release = tx.get::<Release>(&key)?.ok_or_else(|| {
        Refusal::not_found(
            format!("release {to}"),
            format!("{name} has no such release, or not any more"),
        )
        .hint("`paas releases` lists what there is")
    })?;
    app.config = release.config.clone();
    app.secrets = release.secrets.clone();
    let draft = Draft::again(&release, &app, Cause::Rollback { to });
    let (release, rollout) = releasing::release(tx, app, draft, by, now)?;
    Ok(Way::Again(release, rollout))
}

fn last_good(tx: &Transaction<'_>, app: &App) -> Result<ReleaseVersion, Refusal> {
    let none = || {
        Refusal::conflict(format!("rollback of {}", app.name), "no earlier release has served")
            .hint("`paas releases` lists what there is; name one: `paas rollback v3`")
    };
    let current = app.current.ok_or_else(none)?.release;
    let mut rollouts = tx.scan::<Rollout>(app.name.as_str())?;
    rollouts.reverse();
    let served = rollouts.iter().filter(|rollout| match rollout.phase {
        Phase::Draining | Phase::Done => true,
        Phase::Superseded => false,
        Phase::Releasing
        | Phase::Starting
        | Phase::Trying
        | Phase::Shifting
        | Phase::Watching
        | Phase::Reverting { .. }
        | Phase::Failed { .. } => false,
    });
    let kept = |version: ReleaseVersion| {
        tx.get::<Release>(&(app.name.as_str().to_owned(), u64::from(version.0)))
    };
    for rollout in served {
        let version = rollout.to.release;
        if version < current && kept(version)?.is_some() {
            return Ok(version);
        }
    }
    Err(none())
}
