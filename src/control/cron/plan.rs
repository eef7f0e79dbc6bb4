//! The planner of cron: job × what was seen of its ticks × now → what to do. Pure.
//!
//! Of the ticks that went by since it last looked the last one runs, if it is not too late; the others
//! are missed. Invariant: what a step counts as seen never goes back, unless the clock was set back by
//! more than [`SET_BACK`].

use std::time::Duration;

use crate::model::{
    CronJob, CronState, Timestamp,
    cron::{Counting, SET_BACK},
};

/// One thing to do about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Count its ticks from now on.
    Count,
    /// It is not declared any more: count no more.
    Rest,
    /// Ticks went by.
    Tick(Due),
}

/// Ticks that went by and were not dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The one to run.
    pub run: Option<Timestamp>,
    /// Those that are too late.
    pub missed: Option<Missed>,
    /// With this all of them are dealt with.
    pub seen: Timestamp,
}

/// Ticks that are too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// So many; more than [`MOST`] are not counted.
    pub count: u32,
    /// The first.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
}

/// The next step for a job, and when there is one although nothing may have changed by then.
pub fn plan(
    job: Option<&CronJob>,
    state: Option<&CronState>,
    now: Timestamp,
) -> (Option<Step>, Option<Timestamp>) {
    let counting = state.and_then(|state| state.counting.as_ref());
    let Some(job) = job else { return (counting.map(|_| Step::Rest), None) };
    let Some(counting) = counting.filter(|it| it.is_of(job)) else {
        return (Some(Step::Count), None);
    };
    if state.is_some_and(|state| state.paused_by.is_some()) {
        return (None, None);
    }
    if counting.seen > now.plus(SET_BACK) {
        return (Some(Step::Count), None);
    }
    match due(counting, job.catch_up, now) {
        (Some(due), _) => (Some(Step::Tick(due)), None),
        (None, next) => (None, next),
    }
}

/// What went by after `counting.seen`, or else the next tick.
fn due(
    counting: &Counting,
    catch_up: Duration,
    now: Timestamp,
) -> (Option<Due>, Option<Timestamp>) {
    let next = |after| counting.schedule.next(after, &counting.timezone);
    let Some(first) = next(counting.seen) else { return (None, None) };
    if first > now {
        return (None, Some(first));
    }
    let (mut count, mut before, mut last, mut from) = (1_u32, None, first, first);
    while let Some(later) = next(from).filter(|later| *later <= now) {
        (count, before, last, from) = (count.saturating_add(1), Some(last), later, later);
        if count == MOST {
            // After a long time only the recent ones matter.
            from = from.max(Timestamp::from_millis(now.as_millis().saturating_sub(DAY_MILLIS)));
        }
    }
    let run = (now.since(last) <= catch_up.max(PUNCTUAL)).then_some(last);
    let missed = match (run, before) {
        (Some(_), None) => None,
        (Some(_), Some(until)) => Some(Missed { count: count - 1, from: first, until }),
        (None, _) => Some(Missed { count, from: first, until: last }),
    };
    (Some(Due { run, missed, seen: last }), None)
}

/// So late every tick may be: a busy machine, an upgrade of the daemon.
const PUNCTUAL: Duration = Duration::from_mins(1);
/// So many missed ticks are counted one by one: a day of minutes.
const MOST: u32 = 1440;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
