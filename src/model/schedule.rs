//! A schedule: the five fields of cron, or a word for them such as `@daily`.
//!
//! The door to croner, which knows the fields and the calendar; of clocks that are changed it is told
//! nothing. What happens then is as in Vixie's cron: a job at fixed times that fall into the hour that
//! is skipped runs once, right after it, and what falls into the hour that is repeated runs in the first
//! of the two; a job whose minute or hour begins with `*` runs whenever the clock shows such a time.
//! Invariant: a [`Schedule`] has a next time.

use std::{fmt, ops::Bound, str::FromStr};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    civil::DateTime,
    tz::{self, AmbiguousOffset},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{TimeZone, Timestamp};

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

/// A text that should have been a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// It is something else altogether.
    #[error(
        "`{0}` is not a schedule; write five fields, minute hour day month weekday, such as \
         `30 3 * * mon-fri`, or a word such as `@daily`"
    )]
    Form(String),
    /// One of its fields is wrong.
    #[error("`{value}` is not {field}{hint}")]
    Field {
        /// What the field is, with its article.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        hint: &'static str,
    },
    /// There is no such day.
    #[error("`{0}` never comes: there is no such day")]
    Never(String),
}

impl Schedule {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first of its times after `after`, by the clocks of `zone`; `None` if there is none.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // It counts in whole seconds.
        let after = zone.clock(after)?.timestamp().as_second();
        let after = jiff::Timestamp::from_second(after).ok()?;
        let next = if self.goes_by_intervals() {
            self.next_shown(after, zone.rules())?
        } else {
            self.next_fixed(after, zone.rules())?
        };
        Some(Timestamp::from_millis(next.as_millisecond()))
    }

    /// Whether its minute or its hour begins with `*`.
    fn goes_by_intervals(&self) -> bool {
        let by_word = self.text.eq_ignore_ascii_case("@hourly");
        by_word || self.text.split(' ').take(2).any(|field| field.starts_with('*'))
    }

    /// The next instant at which the clock shows a time of it. Between two changes of the clock its hands
    /// turn evenly, so each such span is looked through by itself.
    fn next_shown(&self, after: jiff::Timestamp, zone: &tz::TimeZone) -> Option<jiff::Timestamp> {
        let (mut from, mut bound) = (after, Bound::Excluded as fn(DateTime) -> Bound<DateTime>);
        loop {
            let offset = zone.to_offset(from);
            let change = zone.following(from).next().map(|change| change.timestamp());
            let shown = self.next_civil(bound(offset.to_datetime(from)))?;
            let found = offset.to_timestamp(shown).ok()?;
            match change {
                Some(change) if change <= found => (from, bound) = (change, Bound::Included),
                Some(_) | None => return Some(found),
            }
        }
    }

    /// The next of its times, each of which comes once: later times never come before earlier ones.
    fn next_fixed(&self, after: jiff::Timestamp, zone: &tz::TimeZone) -> Option<jiff::Timestamp> {
        let mut shown = zone.to_datetime(after);
        loop {
            shown = self.next_civil(Bound::Excluded(shown))?;
            let instant = match zone.to_ambiguous_timestamp(shown).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok()?,
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok()?,
                AmbiguousOffset::Gap { after, .. } => {
                    let early = after.to_timestamp(shown).ok()?;
                    zone.following(early).next()?.timestamp()
                }
            };
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// The next of its times on a clock that nobody changes.
    fn next_civil(&self, from: Bound<DateTime>) -> Option<DateTime> {
        let (from, inclusive) = match from {
            Bound::Included(from) => (from, true),
            Bound::Excluded(from) => (from, false),
            Bound::Unbounded => return None,
        };
        let from = from.to_zoned(tz::TimeZone::UTC).ok()?;
        Some(self.cron.find_next_occurrence(&from, inclusive).ok()?.datetime())
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let form = || InvalidSchedule::Form(text.chars().take(60).collect());
        if text.len() > LONGEST || !text.is_ascii() {
            return Err(form());
        }
        let fields: Vec<&str> = text.split(' ').collect();
        if fields.len() != FIELDS.len() {
            let known = WORDS.contains(&text.to_ascii_lowercase().as_str());
            return whole(&text).filter(|_| known).ok_or_else(form);
        }
        for (index, (value, (field, hint))) in fields.iter().zip(FIELDS).enumerate() {
            if !fits(value, index) {
                let value = (*value).to_owned();
                return Err(InvalidSchedule::Field { field, value, hint });
            }
        }
        let schedule = whole(&text).ok_or_else(form)?;
        let comes = schedule.next(SOME_TIME, &TimeZone::default());
        comes.map(|_| schedule).ok_or(InvalidSchedule::Never(text))
    }
}

fn whole(text: &str) -> Option<Schedule> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
    let cron = parser.build().parse(text).ok()?;
    Some(Schedule { text: text.to_owned(), cron })
}

/// Whether a field's value can stand in that place.
fn fits(value: &str, index: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*,-/#?".contains(&byte);
    let mut alone = ["*"; FIELDS.len()];
    if let Some(place) = alone.get_mut(index) {
        *place = value;
    }
    value.bytes().all(plain) && whole(&alone.join(" ")).is_some()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

const FIELDS: [(&str, &str); 5] = [
    ("a minute", ": 0 to 59, `*`, `*/5`, `0,30` or `10-20`"),
    ("an hour", ": 0 to 23, `*`, `*/2`, `9,17` or `9-17`"),
    ("a day of the month", ": 1 to 31, `*`, `1,15`, or `L` for the last"),
    ("a month", ": 1 to 12, `*`, or names such as `jan,jul`"),
    ("a day of the week", ": 0 (Sunday) to 7, `*`, or names such as `mon-fri`"),
];
const WORDS: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const LONGEST: usize = 200;
/// From here on a schedule is looked at whether it ever comes.
const SOME_TIME: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
