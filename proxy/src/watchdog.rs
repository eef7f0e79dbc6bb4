//! A thread that notices when a worker no longer runs: a loop without an await, a lock that is
//! never released. Everything that worker serves stands still, and it cannot say so itself.
//!
//! It looks at counters that each worker moves by a timer. Time is counted in the watchdog's own
//! looks: after a machine was suspended, or the process stopped, nobody is accused.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::settings::Stuck;
use crate::shared::{ENDED, Shared};

/// How often a worker moves its counter and the watchdog looks, within the patience it has.
const LOOKS: u32 = 5;
/// A process is aborted after this many times the patience: restarting it costs every connection.
const LONG: u32 = 6;

/// The time between two looks.
pub(crate) fn pause(patience: Duration) -> Duration {
    (patience / LOOKS).max(Duration::from_millis(10))
}

/// Looks until the other end of `end` is dropped.
pub(crate) fn watch(shared: &Arc<Shared>, stuck: Stuck, end: &Receiver<()>) {
    let pause = pause(shared.limits.stuck);
    let mut watch = Watch::default();
    while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let beats: Vec<u64> = shared.desks.iter().map(|desk| desk.beat.load(Relaxed)).collect();
        for (worker, verdict) in watch.look(&beats) {
            match verdict {
                Verdict::Stuck => {
                    shared.ledger.stalls.fetch_add(1, Relaxed);
                    tracing::error!(worker, after = ?shared.limits.stuck, "an edge worker is stuck");
                }
                Verdict::Lost if stuck == Stuck::Abort => {
                    tracing::error!(worker, "an edge worker does not come back; aborting");
                    std::process::abort();
                }
                Verdict::Lost => tracing::error!(worker, "an edge worker does not come back"),
                Verdict::Back => tracing::warn!(worker, "an edge worker runs again"),
            }
        }
    }
}

/// What is said of a worker, once each time it becomes so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It has not run for as long as the patience lasts.
    Stuck,
    /// It has not run for so long that it never will.
    Lost,
    /// It was stuck and runs again.
    Back,
}

/// What was seen of each worker.
#[derive(Debug, Default)]
struct Watch(Vec<Seen>);

#[derive(Debug, Default, Clone)]
struct Seen {
    beat: u64,
    /// Looks in a row at which it had not moved.
    still: u32,
}

impl Watch {
    /// Compares with the last look and says what is new.
    fn look(&mut self, beats: &[u64]) -> Vec<(usize, Verdict)> {
        self.0.resize(beats.len(), Seen::default());
        let each = self.0.iter_mut().zip(beats).enumerate();
        each.filter_map(|(worker, (seen, beat))| Some((worker, seen.judge(*beat)?))).collect()
    }
}

impl Seen {
    fn judge(&mut self, beat: u64) -> Option<Verdict> {
        let was = self.still;
        self.still = if beat == self.beat && beat != ENDED { was.saturating_add(1) } else { 0 };
        self.beat = beat;
        // One look more than the patience has: a beat may fall right behind a look.
        match self.still {
            0 if was > LOOKS => Some(Verdict::Back),
            still if still == LOOKS + 1 => Some(Verdict::Stuck),
            still if still == LOOKS * LONG + 1 => Some(Verdict::Lost),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter per look of one worker: `.` it ran, `-` it did not.
    fn check(story: &str, expected: &[(usize, Verdict)]) {
        let (mut watch, mut beat, mut said) = (Watch::default(), 0, Vec::new());
        for (look, letter) in story.chars().enumerate() {
            beat += u64::from(letter == '.');
            said.extend(watch.look(&[beat, look as u64 + 1]).into_iter().map(
                |(worker, verdict)| {
                    assert_eq!(worker, 0, "the other one always runs");
                    (look, verdict)
                },
            ));
        }
        assert_eq!(said, expected, "{story}");
    }

    #[test]
    fn it_says_once_what_is_new() {
        check(".....-----.....", &[]);
        check(".------...", &[(6, Verdict::Stuck), (7, Verdict::Back)]);
        let lost = format!(".{}.", "-".repeat(40));
        check(&lost, &[(6, Verdict::Stuck), (31, Verdict::Lost), (41, Verdict::Back)]);
        check(".------.------", &[(6, Verdict::Stuck), (7, Verdict::Back), (13, Verdict::Stuck)]);
    }
}
