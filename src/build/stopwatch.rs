//! How long each stage of a build took, for the last line of its log. Pure: whoever watches says when.

use std::time::{Duration, Instant};

use super::progress::Stage;

/// The stages that began so far, and when.
#[derive(Debug)]
pub struct Stopwatch {
    started: Instant,
    stages: Vec<(Stage, Instant)>,
}

impl Stopwatch {
    /// From now on.
    pub fn start(now: Instant) -> Self {
        Self { started: now, stages: Vec::new() }
    }

    /// A stage begins, and with it the one before ends.
    pub fn begin(&mut self, stage: Stage, now: Instant) {
        self.stages.push((stage, now));
    }

    /// `Built in 612 ms: preparing 12 ms, …`, where the last stage lasted until now.
    pub fn account(&self, now: Instant) -> String {
        let ends = self.stages.iter().skip(1).map(|(_, at)| *at).chain([now]);
        let parts = self.stages.iter().zip(ends).map(|((stage, at), end)| {
            format!("{} {}", stage.word(), spoken(end.saturating_duration_since(*at)))
        });
        let all = spoken(now.saturating_duration_since(self.started));
        format!("Built in {all}: {}", parts.collect::<Vec<_>>().join(", "))
    }
}

fn spoken(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_lasts_until_the_next() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut watch = Stopwatch::start(start);
        watch.begin(Stage::Prepare, at(1));
        watch.begin(Stage::Detect, at(21));
        watch.begin(Stage::Load, at(24));
        assert_eq!(
            watch.account(at(90)),
            "Built in 90 ms: preparing 20 ms, detecting 3 ms, loading 66 ms"
        );
    }
}
