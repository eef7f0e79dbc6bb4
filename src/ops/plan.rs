//! What a deploy of a folder would change of an app, as far as its manifest says: a reading, and no verb
//! that changes anything.
//!
//! Both sides are written down as settings, path and text, and compared. So a setting that is new in
//! a release's record is compared without a word here.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use crate::{
    model::{
        App, AppName, ByteSize, EnvKey, Manifest, Process, ProcessName, Release,
        build::DeploySettings, manifest::Declaration,
    },
    ops::Refusal,
    store::View,
};

/// What would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What serves now; `None` before the first release.
    pub release: Option<String>,
    /// By path: `process.web.scale`, `env.GREETING`.
    pub changes: Vec<Difference>,
    /// Settings of the server that win over the manifest.
    pub wins: Vec<String>,
    /// Variables and secrets that the manifest counts on and the app does not have: it would not be
    /// deployed, or not switched to.
    pub lacks: Vec<EnvKey>,
}

/// One setting that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its path.
    pub setting: String,
    /// What it is; `None` for what is not there yet.
    pub from: Option<String>,
    /// What it would be; `None` for what goes.
    pub to: Option<String>,
}

/// Compares what the folder declares with the release that serves.
pub fn plan(view: &impl View, name: &AppName, wanted: &Declaration) -> Result<Plan, Refusal> {
    let app = view.get::<App>(&name.as_str().to_owned())?.filter(|it| it.destroyed_at.is_none());
    let current = app.as_ref().and_then(|app| app.current);
    let release = match current {
        Some(current) => {
            view.get::<Release>(&(name.as_str().to_owned(), u64::from(current.release.0)))?
        }
        None => None,
    };
    // What nobody has said yet is compared with what would be so anyway.
    let nothing = || settings(&BTreeMap::new(), &DeploySettings::default());
    let before = release.as_ref().map(|it| settings(&it.processes, &it.deploy));
    let processes = processes(release.as_ref(), wanted);
    let after = settings(&processes, &wanted.manifest.deploy_settings());
    let lacks = lacks(app.as_ref(), &wanted.manifest);
    let wins = app.map(|app| app.overrides(&processes, &wanted.manifest.env));
    Ok(Plan {
        release: release.map(|release| release.version.to_string()),
        changes: compare(before.unwrap_or_else(nothing), after),
        wins: wins.unwrap_or_default(),
        lacks,
    })
}

/// The names that the manifest counts on and nobody has set.
fn lacks(app: Option<&App>, manifest: &Manifest) -> Vec<EnvKey> {
    let is_secret = |name: &EnvKey| app.is_some_and(|app| app.secrets.contains_key(name));
    let is_open = |name: &EnvKey| {
        manifest.env.contains_key(name) || app.is_some_and(|app| app.config.contains_key(name))
    };
    let made = |name: &EnvKey| manifest.secrets.generate.contains(name);
    let required = manifest.secrets.required.iter().filter(|name| !made(name));
    let secrets = required.chain(&manifest.build.secrets).filter(|name| !is_secret(name));
    let files = manifest.files.values();
    let files = files.filter(|name| !is_secret(name) && !is_open(name) && !made(name));
    let names: BTreeSet<&EnvKey> = secrets.chain(files).collect();
    names.into_iter().cloned().collect()
}

/// The processes that the app would have, as if nobody had said anything of them, and then what is
/// said. Only `web` may be there without being named: whatever made the image knows how to run it.
fn processes(release: Option<&Release>, wanted: &Declaration) -> BTreeMap<ProcessName, Process> {
    let manifest = &wanted.manifest;
    let mut processes = BTreeMap::new();
    let mut add = |name: &ProcessName, command: &str| {
        let plain = Process::plain(name.clone(), Vec::new(), command.to_owned());
        processes.insert(name.clone(), plain);
    };
    let named = |name: &ProcessName| {
        manifest.processes.contains_key(name) || manifest.suggested.contains_key(name)
    };
    let now = release.iter().flat_map(|release| release.processes.values());
    for process in now.filter(|process| process.name.is_web() || named(&process.name)) {
        add(&process.name, &process.command);
    }
    for (name, command) in wanted.procfile.lines().filter_map(|line| line.split_once(':')) {
        if let Ok(name) = name.trim().parse::<ProcessName>() {
            add(&name, command.trim());
        }
    }
    for (name, command) in manifest.deploy.commands() {
        add(&name, command);
    }
    for (name, said) in manifest.suggested.iter().chain(&manifest.processes) {
        if let Some(command) = &said.command {
            add(name, command);
        }
    }
    for (name, process) in &mut processes {
        as_in_image(process, release.and_then(|release| release.processes.get(name)));
        for said in [&manifest.suggested, &manifest.processes] {
            if let Some(said) = said.get(name) {
                said.describe(process);
            }
        }
    }
    processes
}

/// The image stays, and says where a process listens and whether it runs by itself.
fn as_in_image(process: &mut Process, now: Option<&Process>) {
    if let Some(now) = now {
        process.port = now.port;
        process.scale = process.scale.min(now.scale);
    }
}

fn settings(
    processes: &BTreeMap<ProcessName, Process>,
    deploy: &DeploySettings,
) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let deploy = serde_json::to_value(deploy).unwrap_or_default();
    for (section, value) in deploy.as_object().into_iter().flatten() {
        let name = match section.as_str() {
            "cron" | "env" | "files" | "http" | "private" => section.clone(),
            "takeover" => "deploy".to_owned(),
            "generate" => "secrets.generate".to_owned(),
            other => format!("deploy.{other}"),
        };
        flatten(&name, value, &mut settings);
    }
    for (name, process) in processes {
        let value = serde_json::to_value(process).unwrap_or_default();
        for (key, value) in value.as_object().into_iter().flatten() {
            match key.as_str() {
                // The first is the name, the second is how the command is run.
                "name" | "entrypoint" | "privileges" => {}
                "limits" => flatten(&format!("process.{name}"), value, &mut settings),
                other => flatten(&format!("process.{name}.{other}"), value, &mut settings),
            }
        }
    }
    settings
}

fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Null => return,
        Value::Object(table) => {
            let number = |key: &str| table.get(key).and_then(Value::as_u64);
            let (Some(secs), Some(nanos), 2) = (number("secs"), number("nanos"), table.len())
            else {
                for (key, value) in table {
                    flatten(&format!("{path}.{key}"), value, into);
                }
                return;
            };
            let duration = Duration::from_secs(secs).saturating_add(Duration::from_nanos(nanos));
            format!("{duration:?}")
        }
        Value::Array(entries) if entries.is_empty() => return,
        Value::Number(number)
            if [".memory", ".max_body", ".size"].iter().any(|end| path.ends_with(end)) =>
        {
            number.as_u64().map(|bytes| ByteSize(bytes).to_string()).unwrap_or_default()
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    into.insert(path.to_owned(), text);
}

fn compare(
    mut before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut changes = Vec::new();
    for (setting, to) in after {
        let from = before.remove(&setting);
        if from.as_ref() != Some(&to) {
            changes.push(Difference { setting, from, to: Some(to) });
        }
    }
    let gone = before.into_iter();
    changes.extend(gone.map(|(setting, from)| Difference { setting, from: Some(from), to: None }));
    changes.sort_by(|a, b| a.setting.cmp(&b.setting));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(files: &[(&str, &str)]) -> Declaration {
        let texts = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Declaration::read(&texts.collect(), &"hello".parse().unwrap()).unwrap()
    }

    #[test]
    fn what_nobody_has_set_is_named() {
        let manifest = "[env]\nD = \"\"\n[secrets]\nrequired = [\"A\", \"B\"]\n\
                        generate = [\"B\"]\n[build]\nsecrets = [\"C\"]\n\
                        [files]\n\"/a\" = \"A\"\n\"/d\" = \"D\"\n\"/e\" = \"E\"";
        let manifest = declared(&[("paas.toml", manifest)]).manifest;
        let names =
            |app: Option<&App>| lacks(app, &manifest).iter().map(EnvKey::to_string).collect();
        let missing: Vec<String> = names(None);
        assert_eq!(missing, ["A", "C", "E"]);
        let mut app = App::new("hello".parse().unwrap(), crate::model::Timestamp::from_millis(0));
        app.config.insert("E".parse().unwrap(), String::new());
        app.secrets.insert("A".parse().unwrap(), crate::model::SecretVersion(1));
        let missing: Vec<String> = names(Some(&app));
        assert_eq!(missing, ["C"]);
    }

    fn differences(now: &[(&str, &str)], wanted: &[(&str, &str)]) -> Vec<String> {
        let (now, wanted) = (declared(now), declared(wanted));
        let before = settings(&processes(None, &now), &now.manifest.deploy_settings());
        let after = settings(&processes(None, &wanted), &wanted.manifest.deploy_settings());
        let shown = compare(before, after).into_iter().map(|it| {
            let text = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
            format!("{}: {} > {}", it.setting, text(it.from), text(it.to))
        });
        shown.collect()
    }

    #[test]
    fn what_differs_is_told_by_its_path() {
        let now = [("Procfile", "web: a\nworker: b"), ("paas.toml", "[env]\nA = \"1\"\nB = \"2\"")];
        let wanted = [
            ("Procfile", "web: a2"),
            (
                "paas.toml",
                "[env]\nB = \"3\"\nC = \"4\"\n[process.web]\nmemory = \"1g\"\nstop_timeout = \"5s\"\n\
                 [process.web.health]\npath = \"/up\"\n[deploy]\ndrain = \"90s\"\n\
                 [http]\nallow = [\"10.0.0.0/8\"]\n[private]\nallow = [\"shop\"]\nonly = true",
            ),
        ];
        let worker = |setting: &str| setting.starts_with("process.worker.");
        let mut changes = differences(&now, &wanted);
        assert!(changes.iter().filter(|it| worker(it)).all(|it| it.ends_with("> -")));
        assert!(changes.iter().any(|it| it == "process.worker.command: b > -"), "{changes:?}");
        changes.retain(|it| !worker(it));
        assert_eq!(
            changes,
            [
                "deploy.drain: 30s > 90s",
                "env.A: 1 > -",
                "env.B: 2 > 3",
                "env.C: - > 4",
                "http.allow: - > [\"10.0.0.0/8\"]",
                "private.allow: - > [\"shop\"]",
                "private.only: - > true",
                "process.web.command: a > a2",
                "process.web.health.path: - > /up",
                "process.web.memory: 512 MiB > 1 GiB",
                "process.web.stop_timeout: 30s > 5s",
            ]
        );
        assert_eq!(differences(&wanted, &wanted), Vec::<String>::new());
    }

    #[test]
    fn what_an_image_says_is_no_difference() {
        let plain = Process::plain("web".parse().unwrap(), Vec::new(), "a".to_owned());
        for (port, scale) in [(Some(80), 1), (None, 0), (Some(80), 3)] {
            let now = Process { port, scale, ..plain.clone() };
            let mut wanted = plain.clone();
            as_in_image(&mut wanted, Some(&now));
            assert_eq!((wanted.port, wanted.scale), (port, scale.min(1)));
        }
    }
}
