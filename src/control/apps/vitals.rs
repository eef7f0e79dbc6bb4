//! What is thought of one running instance after all that it answered so far. Pure: a state that takes one
//! look after the other, of readiness and of liveness, and time as an argument.
//!
//! Readiness decides who gets requests, liveness who is replaced. Nobody is ever judged by one bad look,
//! and by none of liveness before its grace is over.

use std::{net::SocketAddr, time::Duration};

use crate::model::{Health, Liveness};

/// What one look brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// A good answer.
    Good,
    /// A bad one: what was seen.
    Bad(String),
    /// None at all: what was seen instead.
    Silent(String),
}

/// When a look was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since the instance started.
    pub running: Duration,
    /// Since it is asked. A daemon that was just started asks one that has run for long.
    pub asked: Duration,
}

/// By what an instance is taken to hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nothing.
    None,
    /// Readiness gets no answer at all for [`Liveness::SILENCE`], after that time of its life.
    Silence {
        /// How long its start may take.
        grace: Duration,
    },
    /// So many bad looks of liveness in a row, after that time of its life.
    Failures {
        /// How many.
        most: u16,
        /// How long its start may take.
        grace: Duration,
    },
}

/// What is thought of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    patience: u16,
    limit: Limit,
    ready: Readiness,
    /// Bad looks of liveness in a row, and what the last of them saw.
    misses: u16,
    missed: String,
    /// Since when readiness heard nothing, how often, and what was seen instead.
    silence: Option<(Duration, u16, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Readiness {
    Never { seen: Option<String>, elsewhere: Vec<SocketAddr> },
    Once { faults: u16, seen: String },
}

impl Vitals {
    /// Nothing is known yet. So many bad answers in a row make one that was ready a failing one.
    pub fn new(patience: u16, limit: Limit) -> Self {
        Self {
            patience,
            limit,
            ready: Readiness::Never { seen: None, elsewhere: Vec::new() },
            misses: 0,
            missed: String::new(),
            silence: None,
        }
    }

    /// Takes a look of readiness; `elsewhere` is where it listens although nobody asks there.
    pub fn readiness(&mut self, look: Look, elsewhere: Vec<SocketAddr>, at: Moment) {
        self.silence = match (&look, self.silence.take()) {
            (Look::Good | Look::Bad(_), _) => None,
            (Look::Silent(seen), None) => Some((at.asked, 1, seen.clone())),
            (Look::Silent(seen), Some((since, count, _))) => {
                Some((since, count.saturating_add(1), seen.clone()))
            }
        };
        match (&mut self.ready, look) {
            (ready, Look::Good) => *ready = Readiness::Once { faults: 0, seen: String::new() },
            (Readiness::Once { faults, seen }, Look::Bad(now) | Look::Silent(now)) => {
                *faults = faults.saturating_add(1);
                *seen = now;
            }
            (Readiness::Never { seen, elsewhere: places }, Look::Bad(now) | Look::Silent(now)) => {
                // That nobody listens in the first moments is how every start looks.
                *seen = (at.asked >= TELLING).then_some(now);
                *places = elsewhere;
            }
        }
    }

    /// It was made to stand still, and could not have answered.
    pub fn stood_still(&mut self) {
        self.silence = None;
    }

    /// Takes a look of liveness.
    pub fn liveness(&mut self, look: Look, at: Moment) {
        let Limit::Failures { grace, .. } = self.limit else { return };
        match look {
            Look::Good => self.misses = 0,
            Look::Bad(_) | Look::Silent(_) if at.running < grace => {}
            Look::Bad(seen) | Look::Silent(seen) => {
                self.misses = self.misses.saturating_add(1);
                self.missed = seen;
            }
        }
    }

    /// Whether its next look of readiness is one that somebody waits for.
    pub fn was_ready(&self) -> bool {
        matches!(self.ready, Readiness::Once { .. })
    }

    /// How it is.
    pub fn health(&self, at: Moment) -> Health {
        if let Some(seen) = self.hung(at) {
            return Health::Hung { seen };
        }
        match &self.ready {
            Readiness::Never { seen, elsewhere } => {
                Health::Starting { seen: seen.clone(), elsewhere: elsewhere.clone() }
            }
            Readiness::Once { faults, seen } if *faults >= self.patience => {
                Health::Failing { seen: seen.clone() }
            }
            Readiness::Once { .. } => Health::Ready,
        }
    }

    /// What speaks against it, though not often enough yet.
    pub fn doubt(&self, at: Moment) -> Option<String> {
        if self.hung(at).is_some() {
            return None;
        }
        if let Limit::Failures { most, .. } = self.limit
            && self.misses > 0
        {
            return Some(format!("liveness: {}, {} of {most}", self.missed, self.misses));
        }
        match &self.ready {
            Readiness::Once { faults, seen } if (1..self.patience).contains(faults) => {
                Some(format!("readiness: {seen}, {faults} of {}", self.patience))
            }
            Readiness::Once { .. } | Readiness::Never { .. } => None,
        }
    }

    fn hung(&self, at: Moment) -> Option<String> {
        match (self.limit, &self.silence) {
            (Limit::Failures { most, .. }, _) => {
                (self.misses >= most).then(|| format!("liveness: {}", self.missed))
            }
            (Limit::Silence { grace }, Some((since, count, seen))) => {
                let long = at.asked.saturating_sub(*since) >= Liveness::SILENCE;
                (long && *count >= LEAST_SILENCES && at.running >= grace)
                    .then(|| format!("{seen}, for a minute"))
            }
            (Limit::Silence { .. }, None) | (Limit::None, _) => None,
        }
    }
}

/// From when on it is worth telling what is missing.
pub const TELLING: Duration = Duration::from_secs(2);

/// A machine that slept for an hour has not been silent for one.
const LEAST_SILENCES: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks one second after the other, `r` of readiness and `l` of liveness: `+` good, `-` bad, `.` silent;
    /// `s` where it stood still; with a number before it that says how many seconds pass first. Answers how it is after the last.
    fn after(limit: Limit, looks: &str) -> String {
        let mut vitals = Vitals::new(3, limit);
        let mut at = Moment { running: Duration::ZERO, asked: Duration::ZERO };
        for word in looks.split_whitespace() {
            let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
            let pause = Duration::from_secs(digits.parse().unwrap_or(1));
            at = Moment { running: at.running + pause, asked: at.asked + pause };
            let look = match word.chars().last() {
                Some('+') => Look::Good,
                Some('-') => Look::Bad("answered 500".to_owned()),
                _ => Look::Silent("no answer".to_owned()),
            };
            if word.contains('r') {
                vitals.readiness(look, Vec::new(), at);
            } else if word.contains('l') {
                vitals.liveness(look, at);
            } else {
                vitals.stood_still();
            }
        }
        let health = match vitals.health(at) {
            Health::Starting { seen, .. } => {
                format!("starting {}", seen.unwrap_or_default()).trim().to_owned()
            }
            Health::Ready => "ready".to_owned(),
            Health::Failing { seen } => format!("failing {seen}"),
            Health::Hung { seen } => format!("hung {seen}"),
        };
        let doubt = vitals.doubt(at).map(|doubt| format!(" ({doubt})"));
        health + &doubt.unwrap_or_default()
    }

    const SILENCE: Limit = Limit::Silence { grace: Duration::from_secs(10) };
    const THREE: Limit = Limit::Failures { most: 3, grace: Duration::from_secs(10) };

    #[test]
    fn readiness_comes_at_once_and_goes_after_some_faults() {
        for (looks, expected) in [
            ("", "starting"),
            ("r.", "starting"),
            ("r. r. r.", "starting no answer"),
            ("r. r. r+", "ready"),
            ("r+ r-", "ready (readiness: answered 500, 1 of 3)"),
            ("r+ r- r.", "ready (readiness: no answer, 2 of 3)"),
            ("r+ r- r- r-", "failing answered 500"),
            ("r+ r- r- r- r+", "ready"),
            ("r+ r- r+ r- r+ r-", "ready (readiness: answered 500, 1 of 3)"),
        ] {
            assert_eq!(after(Limit::None, looks), expected, "{looks}");
        }
    }

    #[test]
    fn a_minute_of_silence_is_taken_for_hanging_and_bad_answers_are_not() {
        for (looks, expected) in [
            ("r+ 20r. 30r. 29r.", "failing no answer"),
            ("r+ 20r. 30r. 30r.", "hung no answer, for a minute"),
            ("r+ 20r- 30r- 30r- 30r-", "failing answered 500"),
            ("r+ 20r. 30r- 30r. 30r.", "failing no answer"),
            ("r+ 20r. 30r. 30r. r+", "ready"),
            // One look after a long sleep is not silence.
            ("r+ 20r. 3600r.", "ready (readiness: no answer, 2 of 3)"),
            // For some of it nobody could have answered.
            ("r+ r. 30s 20r. 20r. 10r.", "failing no answer"),
            // It never got ready: that is silence as well.
            ("r. 30r. 30r.", "hung no answer, for a minute"),
        ] {
            assert_eq!(after(SILENCE, looks), expected, "{looks}");
        }
        assert_eq!(after(Limit::None, "r+ 20r. 30r. 30r. 90r."), "failing no answer");
    }

    #[test]
    fn liveness_counts_after_its_grace_and_recovers() {
        for (looks, expected) in [
            ("r+ l- l- l- l- l-", "ready"),
            ("r+ 10l-", "ready (liveness: answered 500, 1 of 3)"),
            ("r+ 10l- l. l+", "ready"),
            ("r+ 10l- l. l.", "hung liveness: no answer"),
            ("r+ 10l- l. l. l+", "ready"),
            ("r+ 10l- l- l- r+", "hung liveness: answered 500"),
            // Readiness alone takes nobody's place away.
            ("r+ r. 60r. 60r. 60r.", "failing no answer"),
        ] {
            assert_eq!(after(THREE, looks), expected, "{looks}");
        }
        let long = Limit::Failures { most: 2, grace: Duration::from_mins(1) };
        assert_eq!(after(long, "r. 50l. l. l. 10l. l."), "hung liveness: no answer");
    }
}
