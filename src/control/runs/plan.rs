//! The planner of runs: record × container × session × now → what to do. Pure.
//!
//! Invariant: what may have begun once is never begun again. A record says on which machine it begins before there
//! is a container, that it runs before its container can end unseen, and that it is over before its container
//! is removed.

use std::time::Duration;

use crate::{
    engine::Signal,
    model::{ContainerId, Instance, InstanceState, NodeName, Run, RunStatus, Timestamp},
};

/// What is known of one run.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its record.
    pub run: &'a Run,
    /// Its container, if there is one.
    pub container: Option<&'a Instance>,
    /// What talks to it.
    pub session: Session,
    /// Since when it was told to end.
    pub stopping_since: Option<Timestamp>,
    /// Whether all that it wrote is kept.
    pub output: Output,
    /// Whether its app is to vanish.
    pub app: Fate,
    /// Whether another one must end before.
    pub turn: Turn,
    /// Which machine began it, if that is not this one.
    pub elsewhere: Option<&'a NodeName>,
}

/// What talks to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// A session of this daemon.
    Here,
    /// Nothing.
    None,
}

/// What became of a run's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// All of it is kept, or none is to be.
    Kept,
    /// Some may be missing still.
    Missing,
}

/// What becomes of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Stays,
    /// It is being destroyed.
    Goes,
}

/// Whether a run may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is in its way.
    Now,
    /// Another run of the same job was told to end and has not.
    Later,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// See to it that its container exists and has been started.
    Start,
    /// Record how far it is; an end is told to people.
    Record(RunStatus),
    /// Ask it to end, or end it.
    Signal(ContainerId, Signal),
    /// Remove its container.
    Remove(ContainerId),
}

/// The next step, and when to look again although nothing may have changed by then.
pub fn plan(known: &Known<'_>, now: Timestamp) -> (Option<Step>, Option<Timestamp>) {
    let Known { run, container, session, .. } = *known;
    match (&run.status, container) {
        (RunStatus::Ended { .. }, None) => (None, None),
        (RunStatus::Ended { at, .. }, Some(container)) => over(known, container, *at, now),
        // Only its session begins it and hears its end.
        (
            _,
            Some(Instance { state: InstanceState::Created | InstanceState::Exited(_), .. }) | None,
        ) if session == Session::Here => (None, None),
        (RunStatus::Starting, None) => match why_not(known) {
            Some(why) => (Some(lost(now, why)), None),
            None if known.elsewhere.is_some() => (Some(left(known, now)), None),
            // The end of the other is recorded, and then it is looked at again.
            None if known.turn == Turn::Later => (None, None),
            None => (Some(Step::Start), None),
        },
        (RunStatus::Running { .. }, None) if known.elsewhere.is_some() => {
            (Some(left(known, now)), None)
        }
        (RunStatus::Running { .. }, None) => (Some(lost(now, "its container is gone")), None),
        (_, Some(container)) => match &container.state {
            InstanceState::Created => match why_not(known) {
                Some(why) => (Some(lost(now, why)), None),
                None => (Some(Step::Start), None),
            },
            InstanceState::Exited(exit) => (Some(Step::Record(RunStatus::of_exit(exit))), None),
            InstanceState::Running { since } => running(known, container, *since, now),
        },
    }
}

fn running(
    known: &Known<'_>,
    container: &Instance,
    since: Timestamp,
    now: Timestamp,
) -> (Option<Step>, Option<Timestamp>) {
    if known.run.status == RunStatus::Starting {
        return (Some(Step::Record(RunStatus::Running { since })), None);
    }
    let due = known.run.timeout.map(|timeout| since.plus(timeout));
    let to_end = why_not(known).is_some() || due.is_some_and(|due| due <= now);
    match (to_end, known.stopping_since) {
        (false, _) => (None, due),
        (true, None) => {
            // A terminal that is closed says so; everybody else is asked to finish.
            let gone = known.run.is_attached() && known.session == Session::None;
            let signal = if gone { Signal::Hangup } else { Signal::Terminate };
            (Some(Step::Signal(container.id.clone(), signal)), Some(now.plus(GRACE)))
        }
        (true, Some(since)) if since.plus(GRACE) <= now => {
            (Some(Step::Signal(container.id.clone(), Signal::Kill)), Some(now.plus(KILL_AGAIN)))
        }
        (true, Some(since)) => (None, Some(since.plus(GRACE))),
    }
}

fn over(
    known: &Known<'_>,
    container: &Instance,
    at: Timestamp,
    now: Timestamp,
) -> (Option<Step>, Option<Timestamp>) {
    let patience = at.plus(OUTPUT_PATIENCE);
    if known.output == Output::Kept || patience <= now || known.app == Fate::Goes {
        (Some(Step::Remove(container.id.clone())), None)
    } else {
        (None, Some(patience))
    }
}

/// Why it is not to run, or not any more.
fn why_not(known: &Known<'_>) -> Option<&'static str> {
    if known.app == Fate::Goes {
        return Some("its app is being destroyed");
    }
    if known.run.stopped_by.is_some() {
        return Some("it was stopped");
    }
    (known.run.is_attached() && known.session == Session::None).then_some("its user was gone")
}

/// What began on a machine that led before may have ended there, or go on, or not have begun.
fn left(known: &Known<'_>, now: Timestamp) -> Step {
    let machine = known.elsewhere.map_or("its machine", |machine| machine.as_str());
    lost(now, &format!("{machine} does not lead any more, and only there it is known what it did"))
}

fn lost(at: Timestamp, why: &str) -> Step {
    Step::Record(RunStatus::Ended { at, code: None, reason: Some(why.to_owned()) })
}

/// From SIGTERM or SIGHUP to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// Between two attempts to kill what does not die.
const KILL_AGAIN: Duration = Duration::from_secs(5);
/// How long the rest of the output of a run that is over is waited for.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
