//! Restart: fresh instances of what serves, as gently as a deploy.

use crate::{
    model::{Actor, AppName, ReleaseVersion, RolloutNumber, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, releasing},
};

/// Begins a rollout from the current release to itself.
pub fn restart(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<(ReleaseVersion, RolloutNumber), Refusal> {
    let app = existing(tx, name)?;
    let current = app.current.ok_or_else(|| {
        Refusal::conflict(format!("restart of {name}"), "it has not been released yet")
            .hint("deploy it first: `paas deploy`")
    })?;
    if let Some(rollout) = releasing::under_way(tx, &app)?
        && rollout.to.release != current.release
    {
        return Err(Refusal::conflict(
            format!("restart of {name}"),
            format!(
                "{} is being rolled out, which starts fresh instances anyway",
                rollout.to.release
            ),
        ));
    }
    let why = format!("restart of {}", current.release);
    let rollout = releasing::restart(tx, app, current.release, why, (by, now))?;
    Ok((current.release, rollout))
}
