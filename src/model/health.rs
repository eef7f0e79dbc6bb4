//! How an instance is asked whether it does its work: what is asked, when an answer is good, and how many
//! bad ones count. Who asks, and what follows, is control's affair.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::Process;

/// One check. With a command that is run inside the instance; with a path that is asked for; with
/// neither an accepted connection is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// An HTTP path that answers well; without one an accepted TCP connection is enough, and a process
    /// without a port is ready when it has run for [`HealthCheck::SETTLED`].
    pub path: Option<String>,
    /// A program and its arguments, run inside the instance; exit code 0 is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The statuses that are good answers.
    #[serde(default, skip_serializing_if = "Statuses::are_usual")]
    pub status: Statuses,
    /// What the body of a good answer contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The host name to ask under, where it is not the app's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Further header fields of the request, with their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Between two checks.
    pub interval: Duration,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// The longest wait from the start to the first good answer; before that bad ones do not count.
    pub grace: Duration,
    /// So many bad answers in a row count.
    #[serde(default = "usual_failures")]
    pub failures: u16,
}

impl HealthCheck {
    /// How long a process that nobody can ask must run to count as ready.
    pub const SETTLED: Duration = Duration::from_secs(2);

    /// What liveness is, where only some of it is said.
    pub fn liveness() -> Self {
        Self { interval: Duration::from_secs(10), ..Self::default() }
    }

    fn asks_nothing(&self) -> bool {
        self.path.is_none() && self.command.is_empty()
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: None,
            command: Vec::new(),
            status: Statuses::default(),
            body: None,
            host: None,
            headers: BTreeMap::new(),
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            grace: Duration::from_mins(1),
            failures: usual_failures(),
        }
    }
}

/// A single bad answer is noise.
fn usual_failures() -> u16 {
    3
}

/// When an instance that runs is taken to hang, and is replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// When it gives no answer at all to what readiness asks, for [`Liveness::SILENCE`]. A bad answer is
    /// one: it may be about something that a restart does not mend.
    #[default]
    Silence,
    /// Never.
    Off,
    /// When this check fails so often as it says.
    #[serde(untagged)]
    Check(HealthCheck),
}

impl Liveness {
    /// How long nothing at all must be heard.
    pub const SILENCE: Duration = Duration::from_mins(1);

    /// Whether nobody said anything of it.
    pub fn is_usual(&self) -> bool {
        *self == Self::Silence
    }
}

impl Process {
    /// Whether there is a question that shows whether it is ready.
    pub fn is_asked(&self) -> bool {
        self.port.is_some() || !self.health.command.is_empty()
    }

    /// The check of its liveness, if it has one of its own. Where that does not say what to ask it is what
    /// readiness asks.
    pub fn liveness_check(&self) -> Option<HealthCheck> {
        let Liveness::Check(check) = &self.liveness else { return None };
        if !check.asks_nothing() {
            return Some(check.clone());
        }
        let HealthCheck { interval, timeout, grace, failures, .. } = *check;
        let asked = self.is_asked();
        asked.then(|| HealthCheck { interval, timeout, grace, failures, ..self.health.clone() })
    }
}

/// Statuses of HTTP: `200`, `200-399`, `200,204,300-399`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    /// Whether that status is one of them.
    pub fn include(&self, status: u16) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }

    /// Whether nobody said anything of them.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

/// A text that should have been statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` are no statuses; write them like `200`, `200-299` or `200,204`")]
pub struct InvalidStatuses(String);

impl FromStr for Statuses {
    type Err = InvalidStatuses;

    fn from_str(text: &str) -> Result<Self, InvalidStatuses> {
        let wrong = || InvalidStatuses(text.chars().take(40).collect());
        let status = |text: &str| {
            let number = text.trim().parse().ok();
            number.filter(|number| (100..=599).contains(number)).ok_or_else(wrong)
        };
        let ranges = text.split(',').map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let (from, to): (u16, u16) = (status(from)?, status(to)?);
            if from > to { Err(wrong()) } else { Ok((from, to)) }
        });
        let ranges = ranges.collect::<Result<Vec<_>, _>>()?;
        if ranges.len() > MOST_RANGES { Err(wrong()) } else { Ok(Self(ranges)) }
    }
}

impl TryFrom<String> for Statuses {
    type Error = InvalidStatuses;

    fn try_from(text: String) -> Result<Self, InvalidStatuses> {
        text.parse()
    }
}

impl From<Statuses> for String {
    fn from(statuses: Statuses) -> Self {
        statuses.to_string()
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |(from, to): &(u16, u16)| {
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        };
        f.pad(&self.0.iter().map(range).collect::<Vec<_>>().join(","))
    }
}

/// Ranges that one check may name.
const MOST_RANGES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_ranges() {
        let read = |text: &str| text.parse::<Statuses>().map(|it| it.to_string());
        for good in ["200", "200-399", "200,204,300-399"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for wrong in ["", "ok", "99", "600", "300-200", "200-", "200,,204"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let some: Statuses = "200, 401-403".parse().unwrap();
        assert_eq!(
            [200, 201, 400, 401, 403, 404].map(|it| some.include(it)),
            [true, false, false, true, true, false]
        );
        assert!(Statuses::default().are_usual() && !Statuses::default().include(400));
    }

    #[test]
    fn records_from_before_are_read_and_new_ones_say_no_more_than_they_must() {
        let old = r#"{"path":"/up","interval":{"secs":2,"nanos":0},
            "timeout":{"secs":5,"nanos":0},"grace":{"secs":60,"nanos":0}}"#;
        let read: HealthCheck = serde_json::from_str(old).unwrap();
        let expected = HealthCheck { path: Some("/up".to_owned()), ..HealthCheck::default() };
        assert_eq!(read, expected);
        let off = serde_json::to_value(Liveness::Off).unwrap();
        assert_eq!(off, "off");
        for one in [Liveness::Silence, Liveness::Off, Liveness::Check(expected)] {
            let text = serde_json::to_string(&one).unwrap();
            assert_eq!(serde_json::from_str::<Liveness>(&text).unwrap(), one, "{text}");
        }
    }

    #[test]
    fn liveness_asks_what_readiness_asks_unless_it_says_what() {
        let mut process = Process::plain("web".parse().unwrap(), Vec::new(), "bin/web".to_owned());
        assert_eq!(process.liveness_check(), None);
        process.health.path = Some("/up".to_owned());
        process.liveness = Liveness::Check(HealthCheck { failures: 5, ..HealthCheck::liveness() });
        let check = process.liveness_check().unwrap();
        assert_eq!((check.path.as_deref(), check.failures), (Some("/up"), 5));
        assert_eq!(check.interval, Duration::from_secs(10));
        process.port = None;
        assert!(!process.is_asked() && process.liveness_check().is_none());
        process.health.command = vec!["bin/check".to_owned()];
        assert_eq!(process.liveness_check().unwrap().command, ["bin/check"]);
    }
}
