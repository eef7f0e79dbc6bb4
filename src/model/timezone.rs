//! A time zone by its name, such as `Europe/Berlin`: what a clock on a wall shows, now and then.
//!
//! The rules are those that came with this binary, so that every machine has the same. Invariant: a
//! [`TimeZone`] is one that is known.

use std::{fmt, str::FromStr};

use jiff::{Zoned, tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Timestamp;

/// A time zone that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(tz::TimeZone);

/// A text that should have been a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time zone; write it like `Europe/Berlin` or `UTC`")]
pub struct InvalidTimeZone(String);

impl TimeZone {
    /// Its name.
    pub fn as_str(&self) -> &str {
        self.0.iana_name().unwrap_or(UTC)
    }

    /// Its rules.
    pub(super) fn rules(&self) -> &tz::TimeZone {
        &self.0
    }

    /// What its clocks show.
    pub fn clock(&self, at: Timestamp) -> Option<Zoned> {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        Some(at.to_zoned(self.0.clone()))
    }

    /// The same for people: `2026-03-29 03:00 CEST`.
    pub fn shown(&self, at: Timestamp) -> String {
        let clock = self.clock(at).map(|clock| clock.strftime("%Y-%m-%d %H:%M %Z").to_string());
        clock.unwrap_or_else(|| at.to_string())
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self(tz::TimeZone::UTC)
    }
}

impl FromStr for TimeZone {
    type Err = InvalidTimeZone;

    fn from_str(text: &str) -> Result<Self, InvalidTimeZone> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
        let short = text.len() <= LONGEST && text.bytes().all(plain);
        let zone = short.then(|| tz::TimeZone::get(text).ok()).flatten();
        let known = zone.filter(|zone| zone.iana_name().is_some_and(|it| it != "Etc/Unknown"));
        known.map(Self).ok_or_else(|| InvalidTimeZone(text.chars().take(40).collect()))
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A zone that a newer binary has no rules for any more is told in UTC: a record must open.
impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.parse().unwrap_or_default())
    }
}

const UTC: &str = "UTC";
/// The longest name that there is has 32 characters.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_name() {
        for good in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            assert_eq!(good.parse::<TimeZone>().unwrap().as_str(), good);
        }
        for bad in ["", "Berlin", "CEST+2", "../etc/passwd", "Etc/Unknown", &"a".repeat(99)] {
            assert!(bad.parse::<TimeZone>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_is_shown_as_the_clock_does() {
        let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
        let at = |text: &str| Timestamp::parse(text).unwrap();
        assert_eq!(berlin.shown(at("2026-03-29T01:00:00Z")), "2026-03-29 03:00 CEST");
        assert_eq!(berlin.shown(at("2026-03-29T00:59:00Z")), "2026-03-29 01:59 CET");
    }
}
