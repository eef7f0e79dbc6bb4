//! End the trial or the watch of a rollout before its time: the new are good enough.

use crate::{
    model::{Actor, AppName, EventKind, Phase, ReleaseVersion, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, diary, releasing},
};

/// Has the next wave begin, or the old of the last one leave.
pub fn promote(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<ReleaseVersion, Refusal> {
    let mut app = existing(tx, name)?;
    let what = || format!("promoting the deploy of {name}");
    let Some(mut rollout) = releasing::under_way(tx, &app)? else {
        return Err(Refusal::conflict(what(), "none is under way")
            .hint(format!("`paas deploys -a {name}` lists what there was")));
    };
    let release = rollout.to.release;
    if let (Phase::Trying, Some(trial)) = (&rollout.phase, &mut rollout.trial) {
        trial.promoted_by = Some(by.clone());
        app.generation += 1;
        tx.put(&rollout)?;
        tx.put(&app)?;
        let text = format!("{release} is good enough: its trial is over");
        diary::write(tx, name, EventKind::Rollout, text, by, now)?;
        return Ok(release);
    }
    if rollout.phase != Phase::Watching {
        let why = format!("{release} is {} and not being watched", rollout.phase.word());
        return Err(Refusal::conflict(what(), why)
            .hint(format!("`paas deploys -a {name}` shows how far it is")));
    }
    let text = if rollout.is_last_wave() {
        rollout.phase = Phase::Draining;
        format!("{release} is good enough: what served before may leave")
    } else {
        rollout.phase = Phase::Starting;
        rollout.wave += 1;
        format!("{release} is good enough: wave {} begins", rollout.wave + 1)
    };
    rollout.phase_at = now;
    app.generation += 1;
    tx.put(&rollout)?;
    tx.put(&app)?;
    diary::write(tx, name, EventKind::Rollout, text, by, now)?;
    Ok(release)
}
