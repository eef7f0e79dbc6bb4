//! How a release takes over from the one before it: a strategy, and what follows from it, the waves.
//!
//! A rollout goes wave by wave. A wave is a set of slots that change at once; each strategy is nothing
//! but a list of waves, so that one machine carries all of them out. Pure. Invariant: the waves of a
//! list only grow, and the last one, which is not in the list, has whatever is left.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ProcessName, Share, Slot};

/// How the instances of a process change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// A few at first, then more, the new beside the old.
    #[default]
    Rolling,
    /// All at once, the new beside the old.
    BlueGreen,
    /// One at first, with a share of the requests and beside all the old; then the others at once.
    Canary,
    /// The old end before the new start: never two at the same time.
    Recreate,
}

/// A text that should have been a strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a strategy; there is rolling, blue-green, canary and recreate")]
pub struct InvalidStrategy(String);

impl FromStr for Strategy {
    type Err = InvalidStrategy;

    fn from_str(text: &str) -> Result<Self, InvalidStrategy> {
        let all = [Self::Rolling, Self::BlueGreen, Self::Canary, Self::Recreate];
        let known = all.into_iter().find(|one| one.word() == text);
        known.ok_or_else(|| InvalidStrategy(text.chars().take(40).collect()))
    }
}

impl Strategy {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::BlueGreen => "blue-green",
            Self::Canary => "canary",
            Self::Recreate => "recreate",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How many instances a wave of `rolling` changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// So many.
    Count(u16),
    /// So many of a hundred, and one at least.
    Percent(u8),
}

/// A text that should have been the size of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the size of a batch; write it like `2` or `25%`")]
pub struct InvalidBatch(String);

impl FromStr for Batch {
    type Err = InvalidBatch;

    fn from_str(text: &str) -> Result<Self, InvalidBatch> {
        let batch = match text.strip_suffix('%') {
            Some(share) => {
                share.parse().ok().filter(|it| (1..=100).contains(it)).map(Self::Percent)
            }
            None => text.parse().ok().filter(|count| *count > 0).map(Self::Count),
        };
        batch.ok_or_else(|| InvalidBatch(text.chars().take(40).collect()))
    }
}

/// How a release takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Takeover {
    /// How processes change that have no strategy of their own.
    pub strategy: Strategy,
    /// The strategies of single processes.
    pub of: BTreeMap<ProcessName, Strategy>,
    /// The size of every wave of `rolling`; without it 1, 2, 4 and so on.
    pub batch: Option<Batch>,
    /// So many new instances may end and be replaced before the rollout is given up.
    pub max_fail: u16,
    /// How long new instances are watched, and the old stand by.
    pub watch: Duration,
    /// What of the requests a canary gets.
    pub canary: Share,
    /// How long it is compared with what serves.
    pub canary_for: Duration,
    /// The longest that the release command may take.
    pub release_timeout: Duration,
}

impl Default for Takeover {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            of: BTreeMap::new(),
            batch: None,
            max_fail: 0,
            watch: Duration::from_secs(10),
            canary: Share::default(),
            canary_for: Duration::from_mins(5),
            release_timeout: Duration::from_mins(10),
        }
    }
}

impl Takeover {
    /// How a process changes.
    pub fn strategy_of(&self, process: &ProcessName) -> Strategy {
        self.of.get(process).copied().unwrap_or(self.strategy)
    }

    /// Whether a process of so many instances is to be tried with a share of the requests. One that takes
    /// none cannot be.
    pub fn is_tried(&self, process: &ProcessName, count: u16) -> bool {
        self.strategy_of(process) == Strategy::Canary && process.is_web() && count > 0
    }

    /// The waves in which processes of so many instances change, without the last one, which has
    /// whatever is left.
    pub fn waves<'a>(
        &self,
        formation: impl IntoIterator<Item = (&'a ProcessName, u16)>,
    ) -> Vec<Wave> {
        let formation: Vec<_> = formation.into_iter().collect();
        let tried = formation.iter().any(|(name, count)| self.is_tried(name, *count));
        let instances: u32 = formation.iter().map(|(_, count)| u32::from(*count)).sum();
        let ends = formation.into_iter().filter_map(|(name, count)| match self.strategy_of(name) {
            Strategy::Canary if self.is_tried(name, count) => {
                Some((name, Some(1).filter(|_| instances > 1).into_iter().collect()))
            }
            // While something is tried nothing else changes.
            Strategy::Rolling | Strategy::Canary if tried && count > 0 => {
                Some((name, [0].into_iter().chain(self.ends(count)).collect()))
            }
            Strategy::Rolling | Strategy::Canary => Some((name, self.ends(count))),
            Strategy::BlueGreen | Strategy::Recreate => None,
        });
        let ends: Vec<(_, Vec<u16>)> = ends.collect();
        // What does not roll changes in the last wave, when the first ones have proved themselves.
        let last = ends.iter().map(|(_, ends)| ends.len()).max().unwrap_or_default();
        let wave = |number: usize| {
            let end = |ends: &[u16]| ends.get(number).copied().unwrap_or(u16::MAX);
            Wave(ends.iter().map(|(name, ends)| ((*name).clone(), end(ends))).collect())
        };
        (0..last).map(wave).collect()
    }

    /// The last index of every wave of a rolling process, without the wave that has the rest.
    fn ends(&self, count: u16) -> Vec<u16> {
        let (mut ends, mut end, mut size) = (Vec::new(), 0_u16, 1_u16);
        loop {
            let step = match self.batch {
                None => size,
                Some(Batch::Count(step)) => step,
                Some(Batch::Percent(share)) => percent(count, share),
            };
            end = end.saturating_add(step.max(1));
            if end >= count {
                return ends;
            }
            ends.push(end);
            size = size.saturating_mul(2);
        }
    }
}

/// So many of a hundred, rounded up.
fn percent(count: u16, share: u8) -> u16 {
    let part = (u32::from(count) * u32::from(share)).div_ceil(100);
    u16::try_from(part).unwrap_or(u16::MAX)
}

/// The slots that are new when a wave is over: of each process those up to an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wave(pub BTreeMap<ProcessName, u16>);

impl Wave {
    /// Whether that slot is new then.
    pub fn covers(&self, slot: &Slot) -> bool {
        self.0.get(&slot.process).is_some_and(|end| slot.index <= *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waves of a formation such as `web=3 worker=2`, the last one left out.
    #[track_caller]
    fn check(takeover: &Takeover, formation: &str, expected: &str) {
        let formation: Vec<(ProcessName, u16)> = formation
            .split_whitespace()
            .map(|word| word.split_once('=').unwrap())
            .map(|(name, count)| (name.parse().unwrap(), count.parse().unwrap()))
            .collect();
        let waves = takeover.waves(formation.iter().map(|(name, count)| (name, *count)));
        let end = |end: u16| if end == u16::MAX { "all".to_owned() } else { end.to_string() };
        let shown = waves.iter().map(|wave| {
            let parts: Vec<_> =
                wave.0.iter().map(|(name, to)| format!("{name}<={}", end(*to))).collect();
            parts.join(" ")
        });
        assert_eq!(shown.collect::<Vec<_>>().join(", "), expected);
    }

    fn with(batch: Option<Batch>) -> Takeover {
        Takeover { batch, ..Takeover::default() }
    }

    #[test]
    fn rolling_begins_with_one_and_doubles() {
        let plain = Takeover::default();
        check(&plain, "web=0", "");
        check(&plain, "web=1", "");
        check(&plain, "web=2", "web<=1");
        check(&plain, "web=3", "web<=1");
        check(&plain, "web=4", "web<=1, web<=3");
        check(&plain, "web=20", "web<=1, web<=3, web<=7, web<=15");
    }

    #[test]
    fn a_batch_fixes_the_size() {
        check(&with(Some(Batch::Count(2))), "web=5", "web<=2, web<=4");
        check(&with(Some(Batch::Count(9))), "web=5", "");
        check(&with(Some(Batch::Percent(25))), "web=8", "web<=2, web<=4, web<=6");
        check(&with(Some(Batch::Percent(1))), "web=3", "web<=1, web<=2");
        check(&with(Some(Batch::Percent(100))), "web=3", "");
    }

    #[test]
    fn processes_roll_side_by_side_and_those_that_do_not_change_last() {
        check(&Takeover::default(), "web=4 worker=2", "web<=1 worker<=1, web<=3 worker<=all");
        let worker = "worker".parse().unwrap();
        let mixed = Takeover { of: [(worker, Strategy::BlueGreen)].into(), ..Takeover::default() };
        check(&mixed, "web=3 worker=3", "web<=1");
        let green = Takeover { strategy: Strategy::BlueGreen, ..Takeover::default() };
        check(&green, "web=3 worker=3", "");
        let again = Takeover { strategy: Strategy::Recreate, ..Takeover::default() };
        check(&again, "web=3", "");
    }

    #[test]
    fn a_canary_is_one_and_nothing_else_changes_beside_it() {
        let canary = Takeover { strategy: Strategy::Canary, ..Takeover::default() };
        check(&canary, "web=0 worker=3", "web<=all worker<=1");
        check(&canary, "web=1", "");
        check(&canary, "web=5", "web<=1");
        check(&canary, "web=1 worker=1", "web<=1 worker<=0");
        check(&canary, "web=1 worker=0", "");
        let worker: ProcessName = "worker".parse().unwrap();
        let mixed = Takeover { of: [(worker, Strategy::Recreate)].into(), ..canary.clone() };
        check(&mixed, "web=1 worker=1", "web<=1");
        check(&canary, "web=4 worker=3", "web<=1 worker<=0, web<=all worker<=1");
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for strategy in
            [Strategy::Rolling, Strategy::BlueGreen, Strategy::Canary, Strategy::Recreate]
        {
            assert_eq!(strategy.word().parse(), Ok(strategy));
        }
        assert!("canaries".parse::<Strategy>().is_err());
        assert_eq!("25%".parse(), Ok(Batch::Percent(25)));
        assert_eq!("2".parse(), Ok(Batch::Count(2)));
        for wrong in ["0", "0%", "101%", "-1", "1.5", "", "%"] {
            assert!(wrong.parse::<Batch>().is_err(), "{wrong}");
        }
    }
}
