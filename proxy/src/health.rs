//! Whether an upstream is fit to be asked: left out after failures in a row, brought back by trial.
//!
//! It counts what happened between the edge and the upstream (connections refused or reset, answers
//! that are late or malformed), never what an app answers: a client must not be able to have an
//! instance left out by asking for a page that fails. The invariant: one that was left out gets one
//! request at a time until one succeeds. Whether its standing is heeded is for `balance` to decide.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::Limits;

/// What an upstream may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Fit,
    /// Its time out is over and nobody has tried it yet.
    OnProbation,
    Out,
}

/// The health of one upstream, as all workers see it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Whether there is anything in `state` that matters: all that a healthy upstream costs.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures_in_row: u32,
    /// How often it was left out without a long good time since.
    ejections: u32,
    out_until: Option<Instant>,
    /// A request is on its way that will show whether it is well again.
    trial: bool,
    /// Since when it is back.
    back: Option<Instant>,
}

impl Health {
    /// Whether there is nothing against it at all. Cheap.
    pub(crate) fn is_good(&self) -> bool {
        !self.troubled.load(Relaxed)
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        if self.is_good() { Standing::Fit } else { self.state().standing(now) }
    }

    /// Takes the one place that an upstream on probation has; whoever takes it gives it back.
    pub(crate) fn try_out(&self, now: Instant) -> bool {
        let mut state = self.state();
        let free = state.standing(now) == Standing::OnProbation;
        state.trial |= free;
        free
    }

    pub(crate) fn end_trial(&self) {
        self.state().trial = false;
    }

    /// A valid answer began to arrive.
    pub(crate) fn succeeded(&self) {
        if self.is_good() {
            return;
        }
        let mut state = self.state();
        state.succeeded(Instant::now());
        self.troubled.store(state.is_troubled(), Relaxed);
    }

    /// Counts a failure; for how long it is left out if this was one too many.
    pub(crate) fn failed(&self, limits: &Limits, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let pause = state.failed(limits, now);
        self.troubled.store(state.is_troubled(), Relaxed);
        pause
    }

    /// Plain numbers are valid whatever a thread that died was doing to them.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_troubled(&self) -> bool {
        self.failures_in_row > 0 || self.out_until.is_some()
    }

    fn standing(&self, now: Instant) -> Standing {
        match self.out_until {
            None => Standing::Fit,
            Some(until) if now < until || self.trial => Standing::Out,
            Some(_) => Standing::OnProbation,
        }
    }

    fn succeeded(&mut self, now: Instant) {
        match self.out_until {
            // It was asked before it was left out, or for want of anybody else.
            Some(until) if now < until => {}
            Some(_) => {
                self.out_until = None;
                self.back = Some(now);
                self.failures_in_row = 0;
            }
            None => self.failures_in_row = 0,
        }
    }

    fn failed(&mut self, limits: &Limits, now: Instant) -> Option<Duration> {
        match self.out_until {
            // The many that were under way when it fell are one fall.
            Some(until) if now < until => return None,
            Some(_) => {}
            None => {
                self.failures_in_row += 1;
                if self.failures_in_row < limits.eject_after {
                    return None;
                }
            }
        }
        if self.back.is_some_and(|back| now.duration_since(back) > limits.eject_longest) {
            self.ejections = 0;
        }
        let times = self.ejections.min(16);
        let pause = limits.eject.saturating_mul(1 << times).min(limits.eject_longest);
        self.ejections = times + 1;
        self.failures_in_row = 0;
        self.out_until = now.checked_add(pause);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fall(health: &Health, limits: &Limits, now: Instant) -> Duration {
        (0..limits.eject_after).find_map(|_| health.failed(limits, now)).unwrap()
    }

    #[test]
    fn each_time_it_is_left_out_for_longer_up_to_a_bound() {
        let (health, limits, mut now) = (Health::default(), Limits::default(), Instant::now());
        assert_eq!(health.failed(&limits, now), None);
        assert_eq!(health.standing(now), Standing::Fit);
        let mut pauses = vec![fall(&health, &limits, now)];
        for _ in 0..6 {
            now += *pauses.last().unwrap();
            // One failure on probation is enough.
            pauses.push(health.failed(&limits, now).unwrap());
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300].map(|seconds| SECOND * seconds));
    }

    #[test]
    fn failures_of_what_was_under_way_do_not_add_up() {
        let (health, limits, now) = (Health::default(), Limits::default(), Instant::now());
        fall(&health, &limits, now);
        for _ in 0..100 {
            assert_eq!(health.failed(&limits, now + SECOND), None);
        }
        assert_eq!(health.standing(now + limits.eject), Standing::OnProbation);
    }

    #[test]
    fn probation_is_one_request_at_a_time() {
        let (health, limits, now) = (Health::default(), Limits::default(), Instant::now());
        fall(&health, &limits, now);
        assert!(!health.try_out(now + SECOND), "its time is not over");
        let later = now + limits.eject;
        assert!(health.try_out(later));
        assert!(!health.try_out(later), "somebody tries already");
        assert_eq!(health.standing(later), Standing::Out);
        health.end_trial();
        assert_eq!(health.standing(later), Standing::OnProbation, "it showed nothing");
        assert!(health.try_out(later));
        health.state().succeeded(later);
        health.end_trial();
        assert_eq!(health.standing(later), Standing::Fit);
    }

    #[test]
    fn a_success_ends_a_row_and_a_long_good_time_forgives() {
        let (health, limits, now) = (Health::default(), Limits::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(health.failed(&limits, now), None);
            assert_eq!(health.failed(&limits, now), None);
            health.succeeded();
        }
        fall(&health, &limits, now);
        let back = now + limits.eject;
        health.state().succeeded(back);
        assert_eq!(fall(&health, &limits, back + SECOND), SECOND * 20, "soon again");
        let back = back + SECOND * 21;
        health.state().succeeded(back);
        let long = back + limits.eject_longest + SECOND;
        assert_eq!(fall(&health, &limits, long), SECOND * 10, "long after");
    }
}
