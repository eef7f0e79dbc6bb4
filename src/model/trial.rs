//! A release that is tried out before it takes over: its share of the requests, how long, and what came
//! of it so far. `control` judges that.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Actor, Timestamp};

/// The trial of a rollout's first wave, which is one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What of the requests it gets.
    pub share: Share,
    /// How long.
    pub lasts: Duration,
    /// Who did not want to wait for the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_by: Option<Actor>,
    /// What both sides answered since it began.
    #[serde(default)]
    pub tally: Tally,
}

/// What the new instance answered, and the old one whose place it is to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// When it was counted.
    pub at: Timestamp,
    /// The new.
    pub canary: Sample,
    /// The old.
    pub control: Sample,
}

/// What one instance answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Requests that it answered or failed.
    pub answers: u64,
    /// Those of them that it failed, or answered with a 5xx.
    pub errors: u64,
    /// How many heads of answers came within the bound of the same index in [`BOUNDS`] and not within
    /// the one before; the last is for all that took longer.
    pub times: [u64; BOUNDS.len() + 1],
}

impl Sample {
    /// What was counted from an earlier sample of the same instance to this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut times = self.times;
        for (time, before) in times.iter_mut().zip(earlier.times) {
            *time = time.saturating_sub(before);
        }
        Self {
            answers: self.answers.saturating_sub(earlier.answers),
            errors: self.errors.saturating_sub(earlier.errors),
            times,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        let mut times = self.times;
        for (time, after) in times.iter_mut().zip(more.times) {
            *time += after;
        }
        Self { answers: self.answers + more.answers, errors: self.errors + more.errors, times }
    }

    /// What 95 of a hundred answers did not take longer than, as if those of a class were spread evenly
    /// over it; `None` without any. The last class, which has no end, counts as its beginning.
    pub fn p95(&self) -> Option<Duration> {
        let all: u64 = self.times.iter().sum();
        let mut left = (all * 95).div_ceil(100);
        let starts = [Duration::ZERO].into_iter().chain(BOUNDS);
        let ends = BOUNDS.into_iter().chain(BOUNDS.last().copied());
        for ((start, end), count) in starts.zip(ends).zip(self.times) {
            if left <= count {
                let part = u32::try_from(left * 1000 / count.max(1)).unwrap_or(1000);
                return (all > 0).then(|| start + end.saturating_sub(start) * part / 1000);
            }
            left -= count;
        }
        None
    }
}

/// The bounds of the classes that times are counted in; the edge's own.
pub const BOUNDS: [Duration; 15] = [
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

/// So many of a thousand requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u16);

impl TryFrom<String> for Share {
    type Error = InvalidShare;

    fn try_from(text: String) -> Result<Self, InvalidShare> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl Share {
    /// Of a thousand.
    pub fn permille(self) -> u16 {
        self.0
    }
}

/// A tenth.
impl Default for Share {
    fn default() -> Self {
        Self(100)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenth) => write!(f, "{whole}.{tenth}%"),
        }
    }
}

/// A text that should have been a share of the requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share of the requests; write it like `10%`, from 0.1% to 50%")]
pub struct InvalidShare(String);

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let invalid = || InvalidShare(text.chars().take(40).collect());
        let number = text.strip_suffix('%').ok_or_else(invalid)?;
        let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most: usize| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= most;
            text.parse::<u16>().ok().filter(|_| plain)
        };
        let permille =
            digits(whole, 2).zip(digits(tenth, 1)).map(|(whole, tenth)| whole * 10 + tenth);
        permille.filter(|it| (1..=500).contains(it)).map(Self).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_they_are_written() {
        for text in ["10%", "0.1%", "2.5%", "50%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        assert_eq!(Share::default().to_string(), "10%");
        for wrong in ["0%", "10", "50.1%", "100%", "+1%", "1.25%", "%", "-1%", "", "1.%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    /// So many answers in each class, from the first.
    fn sample(times: &[u64]) -> Sample {
        let mut sample = Sample::default();
        sample.times.iter_mut().zip(times).for_each(|(to, from)| *to = *from);
        sample.answers = times.iter().sum();
        sample
    }

    #[test]
    fn the_95th_of_a_hundred() {
        let micros = |times: &[u64]| sample(times).p95().map(|time| time.as_micros());
        assert_eq!(micros(&[]), None);
        assert_eq!(micros(&[100]), Some(950));
        assert_eq!(micros(&[95, 5]), Some(1_000));
        assert_eq!(micros(&[94, 0, 0, 0, 0, 0, 6]), Some(58_300));
        let mut late = Sample::default();
        late.times[15] = 3;
        assert_eq!(late.p95(), Some(Duration::from_mins(1)));
    }

    #[test]
    fn samples_add_up() {
        let (one, two) = (sample(&[1, 2]), sample(&[4, 4, 4]));
        assert_eq!(two.since(&one).plus(&one), two);
        assert_eq!(one.since(&two), Sample::default());
    }
}
