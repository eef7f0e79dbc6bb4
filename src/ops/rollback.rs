//! Go back: a new release that equals an older one, code and config.

use crate::{
    model::{
        Actor, App, AppName, Cause, Phase, Release, ReleaseVersion, Rollout, RolloutNumber,
        Timestamp,
    },
    ops::{Refusal, create::existing},
    store::{
        Transaction, View,
        releasing::{self, Draft},
    },
};

/// Makes a new release of `to`, or of the last one before the current that once served.
pub fn rollback(
    tx: &mut Transaction<'_>,
    name: &AppName,
    to: Option<ReleaseVersion>,
    by: &Actor,
    now: Timestamp,
) -> Result<(ReleaseVersion, RolloutNumber), Refusal> {
    let mut app = existing(tx, name)?;
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
    let draft = Draft::again(&release, release.config.clone(), Cause::Rollback { to });
    Ok(releasing::release(tx, app, draft, by, now)?)
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
        Phase::Starting | Phase::Shifting | Phase::Failed { .. } => false,
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
