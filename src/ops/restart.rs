//! Restart: fresh instances of what serves, as gently as a deploy.

use crate::{
    model::{Actor, AppName, EventKind, Incarnation, ReleaseVersion, RolloutNumber, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, diary, releasing},
};

/// Begins a rollout from the current release to itself.
pub fn restart(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<(ReleaseVersion, RolloutNumber), Refusal> {
    let mut app = existing(tx, name)?;
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
    app.restarts += 1;
    let to = Incarnation { release: current.release, restart: app.restarts };
    diary::write(tx, name, EventKind::Rollout, format!("restart of {}", to.release), by, now)?;
    let rollout = releasing::begin(tx, app, to, now)?;
    Ok((to.release, rollout))
}
