//! Transcripts: one situation each, and what the planner does about it, for people to read.
//!
//! The notation is explained in [`notation`]; every time is in seconds. A plan is its steps, one a
//! line, and the moment at which time alone changes it.

mod afterwards;
mod balance;
mod commands;
mod deploys;
mod failures;
mod hanging;
mod instances;
mod lingering;
pub(in crate::control) mod notation;
mod placement;
mod retirement;
mod reverting;
mod trials;
mod volumes;
mod waves;

use crate::control::apps::{plan::plan, step::Plan};
use notation::Situation;

#[track_caller]
fn check(situation: &str, expected: &str) {
    let Situation { state, seen, now } = notation::read(situation);
    let plan = plan(&state, &seen, now);
    let lines = |text: &str| text.trim().lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
    let planned = written(&plan);
    assert!(lines(&planned) == lines(expected), "the plan is:\n{planned}");
}

fn written(plan: &Plan) -> String {
    let steps = plan.steps.iter().map(|step| format!("{step}\n"));
    let again = plan.look_again.map(|at| format!("look again at {}\n", at.as_millis() / 1000));
    let text: String = steps.chain(again).collect();
    if text.is_empty() { "nothing\n".to_owned() } else { text }
}
