//! `[process.NAME.health]` and `[process.NAME.liveness]`: how an instance shows that it does its work.

use std::{collections::BTreeMap, time::Duration};

use super::{ManifestError, Section};
use crate::model::{HealthCheck, Liveness, Statuses};

/// One check; what is absent is left as it would be without a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestHealth {
    /// An HTTP path that answers well.
    pub path: Option<String>,
    /// A program that is run inside the instance instead.
    pub command: Vec<String>,
    /// The statuses that are good answers.
    pub status: Option<Statuses>,
    /// What the body of a good answer contains.
    pub body: Option<String>,
    /// The host name to ask under.
    pub host: Option<String>,
    /// Further header fields of the request.
    pub headers: BTreeMap<String, String>,
    /// Between two checks.
    pub interval: Option<Duration>,
    /// The longest wait for one answer.
    pub timeout: Option<Duration>,
    /// From the start, how long bad answers do not count.
    pub grace: Option<Duration>,
    /// So many bad answers in a row count.
    pub failures: Option<u16>,
}

impl ManifestHealth {
    /// Changes a check into what is said of it. Whoever says what to ask says all of it.
    pub(super) fn describe(&self, check: &mut HealthCheck) {
        if self.asks() {
            check.path.clone_from(&self.path);
            check.command.clone_from(&self.command);
            check.status = self.status.clone().unwrap_or_default();
            check.body.clone_from(&self.body);
            check.host.clone_from(&self.host);
            check.headers.clone_from(&self.headers);
        }
        check.interval = self.interval.unwrap_or(check.interval);
        check.timeout = self.timeout.unwrap_or(check.timeout);
        check.grace = self.grace.unwrap_or(check.grace);
        check.failures = self.failures.unwrap_or(check.failures);
    }

    /// Takes from another what this one is silent about.
    pub(super) fn fill(&mut self, other: Self) {
        let own = std::mem::take(self);
        let (interval, timeout) = (own.interval.or(other.interval), own.timeout.or(other.timeout));
        let (grace, failures) = (own.grace.or(other.grace), own.failures.or(other.failures));
        let asks = if own.asks() { own } else { other };
        *self = Self { interval, timeout, grace, failures, ..asks };
    }

    fn asks(&self) -> bool {
        self.path.is_some() || !self.command.is_empty()
    }
}

/// `[process.NAME.liveness]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestLiveness {
    /// Nobody is ever replaced for hanging.
    Off,
    /// Whoever fails this check is; what it does not say to ask is what readiness asks.
    Check(ManifestHealth),
}

impl ManifestLiveness {
    pub(super) fn describe(&self, liveness: &mut Liveness) {
        *liveness = match (self, std::mem::take(liveness)) {
            (Self::Off, _) => Liveness::Off,
            (Self::Check(said), Liveness::Check(mut check)) => {
                said.describe(&mut check);
                Liveness::Check(check)
            }
            (Self::Check(said), Liveness::Silence | Liveness::Off) => {
                let mut check = HealthCheck::liveness();
                said.describe(&mut check);
                Liveness::Check(check)
            }
        }
    }
}

/// Reads `health`.
pub(super) fn health(mut section: Section<'_>) -> Result<ManifestHealth, ManifestError> {
    let health = check(&mut section)?;
    section.finish()?;
    Ok(health)
}

/// Reads `liveness`.
pub(super) fn liveness(mut section: Section<'_>) -> Result<ManifestLiveness, ManifestError> {
    let off = section.flag("off")? == Some(true);
    let check = check(&mut section)?;
    if off && check != ManifestHealth::default() {
        let fault = section.wrong_at("off", "`off` stands beside other keys");
        return Err(fault.hint("leave out `off`, or all else".to_owned()));
    }
    section.finish()?;
    Ok(if off { ManifestLiveness::Off } else { ManifestLiveness::Check(check) })
}

fn check(section: &mut Section<'_>) -> Result<ManifestHealth, ManifestError> {
    section.exclusive(&["command", "path"]);
    let check = ManifestHealth {
        path: section.path("path")?,
        command: section.list("command")?,
        status: section.parsed_or_number("status")?,
        body: section.text("body")?,
        host: section.text("host")?,
        headers: headers(section)?,
        interval: section.duration("interval")?,
        timeout: section.duration("timeout")?,
        grace: section.duration("grace")?,
        failures: section.number("failures", 1, MOST_FAILURES)?,
    };
    if check.path.is_some() && !check.command.is_empty() {
        let fault = section.wrong_at("command", "`command` stands beside `path`");
        return Err(
            fault.hint("an instance is asked in one way: leave out `command` or `path`".to_owned())
        );
    }
    if check.command.iter().any(|word| word.contains('\0'))
        || check.command.first().is_some_and(String::is_empty)
    {
        let fault = section.wrong_at("command", "`command` is no program");
        return Err(fault.hint("command = [\"bin/check\", \"--quick\"]".to_owned()));
    }
    if let Some(host) = &check.host
        && !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    {
        let fault = section.wrong_at("host", &format!("`{}` is no host name", host.escape_debug()));
        return Err(fault.hint("host = \"shop.example.com\"".to_owned()));
    }
    let about_pages = [
        ("status", check.status.is_some()),
        ("body", check.body.is_some()),
        ("host", check.host.is_some()),
        ("headers", !check.headers.is_empty()),
    ];
    let lonely = about_pages.iter().find(|(_, said)| *said && check.path.is_none());
    if let Some((key, _)) = lonely {
        let fault = section.wrong_at(key, &format!("`{key}` is of an answer to `path`"));
        return Err(fault.hint("path = \"/up\"".to_owned()));
    }
    Ok(check)
}

fn headers(section: &mut Section<'_>) -> Result<BTreeMap<String, String>, ManifestError> {
    let Some(table) = section.section("headers")? else { return Ok(BTreeMap::new()) };
    let mut headers = BTreeMap::new();
    for (name, value) in table.entries() {
        let text = value.get().as_str().unwrap_or_default();
        let Some((name, text)) = settable(name, text) else {
            let fault = format!(
                "`{}` is no header field to set, or its value no plain text",
                name.escape_debug()
            );
            return Err(value
                .key()
                .fault(fault)
                .hint("headers = { x-check = \"yes\" }".to_owned()));
        };
        headers.insert(name, text);
    }
    if headers.len() > MOST_HEADERS {
        return Err(table.fault(format!("there are more than {MOST_HEADERS} header fields")));
    }
    Ok(headers)
}

/// A header field that may be added to a question, with its name in lower case.
pub(super) fn settable(name: &str, value: &str) -> Option<(String, String)> {
    let known = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let name = name.to_ascii_lowercase();
    let plain = !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let ours = OURS.contains(&name.as_str());
    (known && plain && !ours).then(|| (name, value.to_owned()))
}

/// What the question says itself; the host has a key of its own.
const OURS: [&str; 6] =
    ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];
const MOST_HEADERS: usize = 20;
/// More than this is as good as never.
const MOST_FAILURES: u16 = 100;

#[cfg(test)]
mod tests {
    use crate::model::{Liveness, Manifest, Process, manifest::ManifestFile};

    fn described(text: &str) -> Result<Process, String> {
        let manifest = Manifest::parse(text)
            .map_err(|it| format!("{} hint: {}", it.fault, it.hint.unwrap_or_default()))?;
        let name = "web".parse().unwrap();
        let mut process = Process::plain(name, Vec::new(), "bin/web".to_owned());
        for said in manifest.processes.values() {
            said.describe(&mut process);
        }
        Ok(process)
    }

    #[test]
    fn a_check_says_what_is_asked_and_what_is_a_good_answer() {
        let text = "[process.web.health]\npath = \"/up\"\nstatus = \"200-204\"\nbody = \"ok\"\n\
                    host = \"x.test\"\nheaders = { X-Check = \"1\" }\nfailures = 5\n\
                    [process.web.liveness]\ncommand = [\"bin/check\", \"-q\"]\ngrace = \"5s\"";
        let process = described(text).unwrap();
        let health = &process.health;
        assert_eq!((health.path.as_deref(), health.body.as_deref()), (Some("/up"), Some("ok")));
        assert_eq!((health.status.to_string(), health.failures), ("200-204".to_owned(), 5));
        assert_eq!((health.host.as_deref(), &*health.headers["x-check"]), (Some("x.test"), "1"));
        let check = process.liveness_check().unwrap();
        assert_eq!((check.command.len(), check.grace.as_secs()), (2, 5));
        assert_eq!((check.interval.as_secs(), check.failures), (10, 3));
        let off = described("[process.web.liveness]\noff = true").unwrap();
        assert_eq!(off.liveness, Liveness::Off);
        assert!(described("").unwrap().liveness.is_usual());
        let number = described("[process.web.health]\npath = \"/\"\nstatus = 204").unwrap();
        assert_eq!(number.health.status.to_string(), "204");
    }

    #[test]
    fn what_makes_no_check_is_refused() {
        for (lines, expected) in [
            (
                "path = \"/\"\ncommand = [\"x\"]",
                "`command` stands beside `path` hint: an instance \
              is asked in one way: leave out `command` or `path`",
            ),
            ("body = \"ok\"", "`body` is of an answer to `path` hint: path = \"/up\""),
            (
                "command = [\"\"]",
                "`command` is no program hint: command = [\"bin/check\", \
              \"--quick\"]",
            ),
            (
                "path = \"/\"\nheaders = { Host = \"x\" }",
                "`Host` is no header field to set, or its \
              value no plain text hint: headers = { x-check = \"yes\" }",
            ),
            (
                "path = \"/\"\nhost = \"a b\"",
                "`a b` is no host name hint: host = \
              \"shop.example.com\"",
            ),
            (
                "path = \"/\"\nstatus = \"good\"",
                "`good` are no statuses; write them like `200`, \
              `200-299` or `200,204` hint: ",
            ),
            ("failures = 0", "`failures` is not a number from 1 to 100 hint: "),
        ] {
            let refused = described(&format!("[process.web.health]\n{lines}")).unwrap_err();
            assert_eq!(refused, expected);
        }
        let refused = described("[process.web.liveness]\noff = true\nfailures = 2").unwrap_err();
        assert!(refused.starts_with("`off` stands beside other keys"), "{refused}");
    }

    #[test]
    fn an_environment_may_ask_in_another_way() {
        let file = |name, text| ManifestFile { name, text };
        let manifest = Manifest::read(&[
            file("paas.staging.toml", "[process.web.health]\ncommand = [\"bin/check\"]"),
            file("paas.toml", "[process.web.health]\npath = \"/up\"\ngrace = \"5s\""),
        ]);
        let manifest = manifest.unwrap();
        let health = &manifest.processes["web"].health;
        assert_eq!((health.path.as_deref(), health.command.len()), (None, 1));
        assert_eq!(health.grace.unwrap().as_secs(), 5);
    }
}
