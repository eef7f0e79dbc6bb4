//! The command that runs when a release serves: an instance of its own, started once and never again. Pure.
//!
//! It is fenced as the release command is (see `command`), but nothing depends on it: however it ends, the
//! release serves on, and people are told.

use crate::{
    control::apps::{
        command::{self, Outcome},
        posts::{Care, Post},
        state::AppState,
        step::{Plan, Step},
    },
    model::{Incarnation, Observed, Phase, PostDeploy, ProcessName, Rollout, Slot, Timestamp},
};

/// Adds to the plan that it begins, or how it ended.
pub(super) fn judge(state: &AppState, seen: &[Observed], now: Timestamp, plan: &mut Plan) {
    let Some((rollout, post)) = due(state).filter(|(rollout, _)| serves(&rollout.phase)) else {
        return;
    };
    // Where this very plan takes the release back, it does not serve.
    let leaves = |step: &Step| matches!(step, Step::Advance(advance) if !serves(&advance.to));
    if plan.steps.iter().any(leaves) {
        return;
    }
    let release = post.release.version;
    let Some(PostDeploy { begun, ended: None }) = rollout.post_deploy else {
        if rollout.post_deploy.is_none() {
            let begun = PostDeploy { begun: now, ended: None };
            let story = format!("{release} serves: its post_deploy command begins");
            plan.steps.push(Step::PostDeploy(rollout.number, begun, story));
        }
        return;
    };
    let is_own = |o: &&Observed| is_of(&post, o.instance.incarnation, &o.instance.slot);
    let timeout = post.release.deploy.takeover.release_timeout;
    let own = seen.iter().find(is_own);
    let story = match command::outcome(ProcessName::POST_DEPLOY, own, (begun, timeout), now, plan) {
        Outcome::Underway => return,
        Outcome::Done => format!("the post_deploy command of {release} is done"),
        Outcome::Failed(failure) => format!("{}; {release} serves on", failure.reason),
    };
    let ended = PostDeploy { begun, ended: Some(now) };
    plan.steps.push(Step::PostDeploy(rollout.number, ended, story));
}

/// Whether nothing of it is left to be waited for.
pub(super) fn is_settled(state: &AppState) -> bool {
    due(state).is_none_or(|(rollout, _)| rollout.post_deploy.is_some_and(|it| it.ended.is_some()))
}

/// Its post, from the moment in which the release serves everywhere until it has ended. What it is in the
/// middle of is not cut when the last wave has to be gone through once more.
pub(super) fn post(state: &AppState) -> Option<Post<'_>> {
    let (rollout, post) = due(state)?;
    let wanted = match rollout.post_deploy {
        None => serves(&rollout.phase),
        Some(it) => it.ended.is_none(),
    };
    wanted.then_some(post)
}

/// Whether all of a release that is in the last of its waves serves.
pub(super) fn serves(phase: &Phase) -> bool {
    matches!(phase, Phase::Watching | Phase::Draining)
}

fn due(state: &AppState) -> Option<(&Rollout, Post<'_>)> {
    let is_given_up = |rollout: &Rollout| matches!(rollout.phase, Phase::Reverting { .. });
    let rollout = state.under_way().filter(|it| it.is_last_wave() && !is_given_up(it))?;
    let release = state.releases.get(&rollout.to.release)?;
    let (name, process) = release.processes.iter().find(|(name, _)| name.follows_release())?;
    let slot = Slot { process: name.clone(), index: 1 };
    let post = Post { release, incarnation: rollout.to, slot, process, care: Care::Once };
    rollout.is_followed(release).then_some((rollout, post))
}

fn is_of(post: &Post<'_>, incarnation: Incarnation, slot: &Slot) -> bool {
    post.incarnation == incarnation && post.slot == *slot
}
