//! A release that is tried: one new instance of it with a share of the requests, beside all the old. Pure.
//!
//! What both sides answered goes on record every few seconds, so that a daemon that dies in the middle
//! goes on with the time that is left and loses a few seconds' count. Nothing that serves changes here.

use std::time::Duration;

use crate::{
    control::apps::{
        failure::Failure,
        step::{Plan, Step},
        verdict::{self, Look, Verdict},
    },
    model::{Observed, Rollout, Tally, Timestamp, Trial},
};

/// How far it is.
pub(super) enum Outcome {
    /// It goes on.
    Underway,
    /// The new release may take over, for this reason.
    Promoted(String),
    /// It may not.
    Failed(Failure),
}

/// What became of a trial so far.
pub(super) fn outcome(
    rollout: &Rollout,
    trial: &Trial,
    seen: &[Observed],
    now: Timestamp,
    plan: &mut Plan,
) -> Outcome {
    let tally = tally(rollout, trial, seen, now);
    let over = rollout.phase_at.plus(trial.lasts);
    let look = if now < over { Look::Interim } else { Look::Last };
    let verdict = match &trial.promoted_by {
        Some(by) => Verdict::Good(format!("promoted by {by}")),
        None => verdict::judge(&tally.canary, &tally.control, look),
    };
    if (tally.canary, tally.control) != (trial.tally.canary, trial.tally.control) {
        let due = trial.tally.at.plus(COUNTED_EVERY);
        if now >= due || verdict != Verdict::Wait {
            plan.steps.push(Step::Count(rollout.number, Box::new(tally)));
        } else {
            plan.look_again_at(due);
        }
    }
    match verdict {
        Verdict::Wait => {
            plan.look_again_at(over);
            Outcome::Underway
        }
        Verdict::Good(reason) => Outcome::Promoted(reason),
        Verdict::Bad(reason) => Outcome::Failed(Failure {
            reason: format!("the canary is worse: {reason}"),
            hint: Some(
                "see `paas logs` for what it wrote, mend it and deploy again; `paas deploy \
                 --strategy rolling` asks nobody"
                    .to_owned(),
            ),
            blame: None,
        }),
    }
}

/// What both sides answered; of whom nothing is seen now, what is on record.
fn tally(rollout: &Rollout, trial: &Trial, seen: &[Observed], now: Timestamp) -> Tally {
    let of = |new: bool| {
        let side = |o: &&Observed| (o.instance.incarnation == rollout.to) == new;
        seen.iter().filter(side).find_map(|o| o.tried)
    };
    Tally {
        at: now,
        canary: of(true).unwrap_or(trial.tally.canary),
        control: of(false).unwrap_or(trial.tally.control),
    }
}

/// Between two records of what was counted.
const COUNTED_EVERY: Duration = Duration::from_secs(5);
