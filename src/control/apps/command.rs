//! A command of a release, before or after it takes over: an instance of its own, started once and never
//! again. Pure.
//!
//! That it is begun is on record before it is started. So what is on record and neither there nor ended
//! may have run or not; nobody knows, and it is never tried again.

use std::time::Duration;

use crate::{
    control::apps::{
        failure::Failure,
        slots::Place,
        step::{Advance, Plan, Step},
    },
    model::{ContainerId, Exit, InstanceState, Observed, Phase, PostDeploy, Timestamp},
};

/// How far it is.
pub(super) enum Outcome {
    /// It runs, or is about to.
    Underway,
    /// It did its work.
    Done,
    /// It did not, or nobody knows.
    Failed(Failure),
}

/// Starts it if the plan puts on record that it is begun, and returns what it runs in.
pub(super) fn run(place: &Place<'_>, seen: &[Observed], plan: &mut Plan) -> Vec<ContainerId> {
    let follows = place.slot.process.follows_release();
    let begins = |step: &Step| match step {
        Step::Advance(Advance { to: Phase::Releasing, .. }) => !follows,
        Step::PostDeploy(_, PostDeploy { ended: None, .. }, _) => follows,
        _ => false,
    };
    let here: Vec<&Observed> = seen.iter().filter(|observed| place.holds(observed)).collect();
    // One that was made and not started has certainly not run.
    let made = here.iter().any(|observed| observed.instance.state == InstanceState::Created);
    if made || plan.steps.iter().any(begins) {
        plan.steps.push(place.start(0));
    }
    here.into_iter().map(|observed| observed.instance.id.clone()).collect()
}

/// What became of it since it was `begun`.
pub(super) fn outcome(
    name: &str,
    command: Option<&Observed>,
    (begun, timeout): (Timestamp, Duration),
    now: Timestamp,
    plan: &mut Plan,
) -> Outcome {
    let Some(command) = command else {
        return failed(
            None,
            format!(
                "the outcome of the {name} command is unknown: it was begun, and is neither running \
                 nor has it left an exit code"
            ),
            "see what it did, mend that by hand if need be, and deploy again",
        );
    };
    let blame = Some(command.instance.id.clone());
    let lines = &format!("see `paas logs -p {name}` for all it wrote, mend it and deploy again");
    match &command.instance.state {
        InstanceState::Exited(Exit { code: 0, out_of_memory: false, error: None, .. }) => {
            Outcome::Done
        }
        InstanceState::Exited(exit) => failed(blame, format!("the {name} command {exit}"), lines),
        InstanceState::Created | InstanceState::Running { .. } => {
            let deadline = begun.plus(timeout);
            if now < deadline {
                plan.look_again_at(deadline);
                return Outcome::Underway;
            }
            let reason = format!("the {name} command was not done after {timeout:?}");
            failed(
                blame,
                reason,
                "if it needs longer: `release_timeout` under [deploy] in paas.toml",
            )
        }
    }
}

fn failed(blame: Option<ContainerId>, reason: String, hint: &str) -> Outcome {
    Outcome::Failed(Failure { reason, hint: Some(hint.to_owned()), blame })
}
