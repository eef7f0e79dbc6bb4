//! Rollouts: list them, end the watch of the one under way, or give it up.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, Phase, Rollout, Sample, Trial},
    ops,
    server::{apps::on_record, caller::Caller, fault::Failure, releases::until_over, state::Api},
    store::View,
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Rollout>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let rollouts = snapshot.latest::<Rollout>(app.name.as_str(), MOST)?;
    Ok(Json(rollouts.iter().map(show).collect()))
}

pub(super) async fn promote(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let release = api
        .store
        .transact(move |tx| ops::promote::promote(tx, &app, &caller.actor, clock::now()))
        .await?;
    let release = Some(release.to_string());
    Ok(Json(api::Change { app: shown, release, ..Default::default() }))
}

pub(super) async fn abort(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let (shown, aborted) = (app.to_string(), app.clone());
    let (release, rollout) = api
        .store
        .transact(move |tx| ops::abort::abort(tx, &aborted, &caller.actor, clock::now()))
        .await?;
    until_over(&api, &app, rollout).await?;
    let release = Some(release.to_string());
    Ok(Json(api::Change { app: shown, release, ..Default::default() }))
}

fn show(rollout: &Rollout) -> api::Rollout {
    let reason = match &rollout.phase {
        Phase::Reverting { reason, .. } | Phase::Failed { reason, .. } => Some(reason.clone()),
        Phase::Releasing
        | Phase::Starting
        | Phase::Trying
        | Phase::Shifting
        | Phase::Watching
        | Phase::Draining
        | Phase::Done
        | Phase::Superseded => None,
    };
    let count = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
    api::Rollout {
        number: rollout.number.0,
        release: rollout.to.release.to_string(),
        from: rollout.from.map(|from| from.release.to_string()),
        phase: rollout.phase.word().to_owned(),
        wave: count(rollout.present_wave()),
        waves: count(rollout.waves.len()),
        reason,
        canary: rollout.trial.as_ref().map(|trial| canary(rollout, trial)),
        started_at: rollout.started_at.to_string(),
        phase_at: rollout.phase_at.to_string(),
    }
}

fn canary(rollout: &Rollout, trial: &Trial) -> api::Canary {
    let answers = |sample: &Sample| api::Answers {
        requests: sample.answers,
        errors: sample.errors,
        p95_ms: sample.p95().map(|time| time.as_secs_f64() * 1000.0),
    };
    let left = rollout.phase_at.plus(trial.lasts).since(clock::now()).as_millis();
    let lasts = rollout.phase == Phase::Trying;
    api::Canary {
        share: trial.share.to_string(),
        left_ms: lasts.then(|| u64::try_from(left).unwrap_or(u64::MAX)),
        canary: answers(&trial.tally.canary),
        control: answers(&trial.tally.control),
    }
}

/// Rollouts in one answer.
const MOST: usize = 100;
