//! `app.json` (Heroku, "app.json schema"; what Dokku adds to it).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Foreign, path, plain, time};
use crate::model::{
    CronCommand, CronJob, CronName, TimeZone,
    app::MAX_SCALE,
    cron::{DEFAULT_CATCH_UP, DEFAULT_TIMEOUT, MAX_JOBS},
    manifest::{ManifestHealth, ManifestLiveness, health::settable},
};

pub(super) fn read(file: &Map<String, Value>, into: &mut Foreign) {
    for (key, value) in file {
        match (key.as_str(), value) {
            ("cron", Value::Array(jobs)) => cron(jobs, into),
            ("env", Value::Object(table)) => env(table, into),
            ("formation", Value::Object(table)) => formation(table, into),
            ("healthchecks", Value::Object(table)) => healthchecks(table, into),
            (known, _) if SILENT.contains(&known) => {}
            (other, _) => into.left.push(other.to_owned()),
        }
    }
}

/// `"KEY": "value"`, or a table with `value`; one without is made, or for people to set.
fn env(table: &Map<String, Value>, into: &mut Foreign) {
    for (key, value) in table {
        let text = match value {
            Value::Object(described) => described.get("value").and_then(plain),
            other => plain(other),
        };
        let made = value.get("generator").and_then(Value::as_str) == Some("secret");
        match text {
            Some(text) => into.environment(std::iter::once((key, Some(text)))),
            None if made => into.take(&format!("env {key}"), key.parse().ok(), |it, key| {
                it.manifest.secrets.generate.insert(key);
            }),
            None => {
                into.left.push(format!("env {key} (it has no value: `paas config set {key}=…`)"));
            }
        }
    }
}

/// Dokku's `"cron": [{"command": "…", "schedule": "…"}]`. A job has no name there; here it is called by
/// its command, so that it stays the same one wherever it stands in the list.
fn cron(jobs: &[Value], into: &mut Foreign) {
    for job in jobs.iter().take(MAX_JOBS) {
        let text = |key: &str| job.get(key).and_then(Value::as_str);
        let command = text("command").unwrap_or_default();
        let what = format!("cron {command}");
        // There jobs may overlap unless they say otherwise.
        let overlap = text("concurrency_policy").unwrap_or("allow").parse();
        let rests = job.get("maintenance").and_then(Value::as_bool) == Some(true);
        let found = name_of(command, &into.manifest.cron)
            .zip(text("schedule").and_then(|text| text.parse().ok()))
            .zip(overlap.ok())
            .filter(|_| !rests);
        into.take(&what, found, |it, ((name, schedule), overlap)| {
            let job = CronJob {
                schedule,
                timezone: TimeZone::default(),
                command: CronCommand::Shell(command.to_owned()),
                process: None,
                memory: None,
                timeout: DEFAULT_TIMEOUT,
                overlap,
                catch_up: DEFAULT_CATCH_UP,
            };
            it.manifest.cron.insert(name, job);
        });
    }
}

/// The letters and digits of a command, and a number where others have the same.
fn name_of(command: &str, others: &BTreeMap<CronName, CronJob>) -> Option<CronName> {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let words: String = command.chars().take(60).map(kept).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    let base: String = words.join("-").chars().take(26).collect();
    let base = base.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let numbered = (2..=MAX_JOBS).map(|number| format!("{base}-{number}"));
    let mut names = std::iter::once(base.to_owned()).chain(numbered);
    names.find_map(|name| name.parse().ok().filter(|name| !others.contains_key(name)))
}

fn formation(table: &Map<String, Value>, into: &mut Foreign) {
    for (name, described) in table {
        let Some(quantity) = described.get("quantity") else { continue };
        let count = quantity.as_u64().and_then(|count| u16::try_from(count).ok());
        let count = count.filter(|count| *count <= MAX_SCALE && into.process(name).is_some());
        into.take(&format!("formation.{name}.quantity"), count, |it, count| {
            if let Some(process) = it.process(name) {
                process.scale = Some(count);
            }
        });
    }
}

/// The first of a process that asks something, of each kind: `liveness` is what it is here, `startup` and
/// `readiness` are readiness.
fn healthchecks(table: &Map<String, Value>, into: &mut Foreign) {
    for (name, checks) in table {
        let checks = checks.as_array().into_iter().flatten().filter_map(Value::as_object);
        let asks = |check: &&Map<String, Value>| {
            check.contains_key("path") || check.contains_key("command")
        };
        let (alive, ready): (Vec<_>, Vec<_>) = checks
            .filter(asks)
            .partition(|check| check.get("type").and_then(Value::as_str) == Some("liveness"));
        if alive.is_empty() && ready.is_empty() {
            into.left.push(format!("healthchecks.{name}"));
        }
        if let Some(check) = ready.first() {
            let what = format!("healthchecks.{name}");
            let read = question(check).filter(|_| into.process(name).is_some());
            into.take(&what, read, |it, health| {
                it.process(name).into_iter().for_each(|process| process.health = health.clone());
            });
        }
        if let Some(check) = alive.first() {
            let what = format!("healthchecks.{name} (liveness)");
            let read = question(check).filter(|_| into.process(name).is_some());
            into.take(&what, read, |it, health| {
                let number = |key: &str| check.get(key).and_then(Value::as_u64);
                let failures = number("attempts").and_then(|it| u16::try_from(it).ok());
                let said = ManifestLiveness::Check(ManifestHealth {
                    interval: check.get("wait").and_then(time),
                    grace: check.get("initialDelay").and_then(time),
                    failures: failures.filter(|count| (1..=100).contains(count)),
                    ..health
                });
                it.process(name)
                    .into_iter()
                    .for_each(|process| process.liveness = Some(said.clone()));
            });
        }
    }
}

/// What is asked, and what is a good answer; `None` if it is not to be understood.
fn question(check: &Map<String, Value>) -> Option<ManifestHealth> {
    let asked = match (check.get("path"), check.get("command")) {
        (Some(value), None) => ManifestHealth {
            path: Some(path(value)?),
            body: check.get("content").and_then(Value::as_str).map(str::to_owned),
            headers: headers(check.get("httpHeaders")),
            ..ManifestHealth::default()
        },
        (None, Some(value)) => {
            let words = value.as_array()?.iter().map(|word| Some(word.as_str()?.to_owned()));
            let command = words.collect::<Option<Vec<String>>>()?;
            command.first().filter(|program| !program.is_empty())?;
            ManifestHealth { command, ..ManifestHealth::default() }
        }
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(ManifestHealth { timeout: check.get("timeout").and_then(time), ..asked })
}

fn headers(list: Option<&Value>) -> BTreeMap<String, String> {
    let fields = list.and_then(Value::as_array).into_iter().flatten();
    let field = |field: &Value| {
        let text = |key| Some(field.get(key)?.as_str()?.to_owned());
        settable(&text("name")?, &text("value")?)
    };
    fields.filter_map(field).collect()
}

/// For people and for catalogues. Buildpacks are found by what the folder holds.
const SILENT: [&str; 13] = [
    "$schema",
    "name",
    "description",
    "keywords",
    "website",
    "repository",
    "logo",
    "success_url",
    "stack",
    "buildpacks",
    "image",
    "environments",
    "generic",
];
