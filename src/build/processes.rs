//! What buildpacks found and what `paas.toml` says, put together as the processes of a release.
//! Pure.
//!
//! Our buildpacks and the `Procfile` name what an app is made of, and all of that runs. Somebody
//! else's buildpack may also name tools and second names of one program; of those only the one that
//! is meant to run by default does, and it is `web` if nothing else is. Invariant: every process of
//! theirs runs through the launcher, which knows the layers' environment; images of others have
//! none, and run as they say themselves.

use std::collections::{BTreeMap, BTreeSet};

use buildpacks::agent;

use crate::model::{
    Process, ProcessName,
    manifest::{Manifest, ManifestProcess},
};

/// Why there is nothing to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessesError {
    /// Neither a buildpack nor the manifest names a process.
    #[error("nothing says how to run the app")]
    None,
    /// The manifest configures a process that does not exist.
    #[error("paas.toml describes the process `{name}`, which has no command; there is {known}")]
    Unknown {
        /// Its name.
        name: ProcessName,
        /// Those that do exist.
        known: String,
    },
}

impl ProcessesError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::None => {
                "add a file called Procfile with a line such as `web: node server.js`".to_owned()
            }
            Self::Unknown { name, .. } => {
                format!("add `command = \"…\"` to [process.{name}], or a line to the Procfile")
            }
        }
    }
}

/// What an app is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roster {
    /// By name; a process that is there but does not run by itself has a scale of 0.
    pub(crate) processes: BTreeMap<ProcessName, Process>,
    /// For the log: what does not run by itself, and why.
    pub(crate) remarks: Vec<String>,
}

/// The processes of an image, with what the manifest says of them. `procfile` is the app's, or empty.
pub(crate) fn processes(
    found: &[agent::Process],
    procfile: &str,
    manifest: &Manifest,
) -> Result<Roster, ProcessesError> {
    let Roster { mut processes, mut remarks } = named(found, procfile);
    described(&mut processes, manifest, &|command| vec![LAUNCHER.to_owned(), command.to_owned()])?;
    for process in processes.values().filter(|process| process.scale == 0) {
        if process.name.runs_once() {
            let first = process.name.precedes_release();
            let when = if first { "before it takes over" } else { "when it serves" };
            remarks.push(format!("{} runs once for each release, {when}", process.name));
        } else if !manifest.processes.contains_key(&process.name) {
            let name = &process.name;
            remarks.push(format!("{name} is there, but does not run: `paas scale {name}=1`"));
        }
    }
    Ok(Roster { processes, remarks })
}

/// Adds what the manifest says of processes; `shell` is how a command of its becomes an entry point.
pub(super) fn described(
    processes: &mut BTreeMap<ProcessName, Process>,
    manifest: &Manifest,
    shell: &dyn Fn(&str) -> Vec<String>,
) -> Result<(), ProcessesError> {
    for (name, suggested) in &manifest.suggested {
        command(processes, name, suggested, shell);
        if let Some(process) = processes.get_mut(name) {
            suggested.describe(process);
        }
    }
    for (name, command) in manifest.deploy.commands() {
        let process = Process::plain(name.clone(), shell(command), command.to_owned());
        processes.insert(name, process);
    }
    for (name, described) in &manifest.processes {
        command(processes, name, described, shell);
        if let Some(process) = processes.get_mut(name) {
            described.describe(process);
        } else {
            let known = processes.keys().map(|it| format!("`{it}`")).collect::<Vec<_>>();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ProcessesError::Unknown { name: name.clone(), known });
        }
    }
    // What only prepares an app is none.
    let any = processes.keys().any(|name| !name.runs_once());
    if any { Ok(()) } else { Err(ProcessesError::None) }
}

/// Makes the process what it is told to run.
fn command(
    processes: &mut BTreeMap<ProcessName, Process>,
    name: &ProcessName,
    described: &ManifestProcess,
    shell: &dyn Fn(&str) -> Vec<String>,
) {
    if let Some(command) = &described.command {
        let process = Process::plain(name.clone(), shell(command), command.clone());
        processes.insert(name.clone(), process);
    }
}

/// What the buildpacks found, by names that a process can have here.
fn named(found: &[agent::Process], procfile: &str) -> Roster {
    let wanted: BTreeSet<&str> = procfile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(kind, _)| kind.trim())
        .collect();
    let alone = found.len() == 1;
    let runs = |process: &agent::Process| {
        alone
            || process.default
            || process.kind == WEB
            || process.buildpack.starts_with(OURS)
            || wanted.contains(process.kind.as_str())
    };
    let has_web = found.iter().any(|process| process.kind == WEB);
    let mut roster = Roster { processes: BTreeMap::new(), remarks: Vec::new() };
    for process in found {
        let kind = process.kind.as_str();
        let stands_in = process.default && !has_web && !wanted.contains(kind);
        let name = if stands_in { WEB } else { kind };
        let Ok(name) = name.parse::<ProcessName>() else {
            let remark = format!("{kind} does not run: no process can have that name");
            roster.remarks.push(remark);
            continue;
        };
        if stands_in {
            roster.remarks.push(format!("web is the default process, {kind}"));
        }
        let entrypoint = vec![format!("{PROCESSES}/{kind}")];
        let plain = Process::plain(name.clone(), entrypoint, shown(process));
        let scale = u16::from(runs(process) && !name.runs_once());
        roster.processes.insert(name, Process { scale, ..plain });
    }
    roster
}

/// The command as people would write it: what a shell would run, without the shell.
fn shown(process: &agent::Process) -> String {
    let words = process.command.iter().chain(&process.args).map(String::as_str);
    let words: Vec<&str> = words.collect();
    let ["bash" | "sh" | "/bin/bash" | "/bin/sh", "-c" | "-lc", script] = words.as_slice() else {
        return words.join(" ");
    };
    script.strip_prefix("exec ").unwrap_or(script).to_owned()
}

/// The launcher in every image of ours; with a command it runs that in a shell.
pub(crate) const LAUNCHER: &str = "/cnb/lifecycle/launcher";
/// The process that visitors reach.
const WEB: &str = ProcessName::WEB;
/// Ids of our own buildpacks begin so.
const OURS: &str = "paas/";
/// One link for each process, by its name.
pub(crate) const PROCESSES: &str = "/cnb/process";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: &str, command: &[&str]) -> agent::Process {
        agent::Process {
            kind: kind.to_owned(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            args: Vec::new(),
            direct: true,
            default: kind == "web",
            working_dir: None,
            buildpack: "paas/test".to_owned(),
        }
    }

    fn check(kinds: &[(&str, &[&str])], manifest: &str, expected: &str) {
        let found: Vec<_> = kinds.iter().map(|(kind, command)| found(kind, command)).collect();
        let manifest = Manifest::parse(manifest).unwrap();
        let actual = match processes(&found, "", &manifest) {
            Err(error) => format!("{error}; {}", error.hint()),
            Ok(all) => all
                .processes
                .values()
                .map(|p| format!("{}: {:?} {:?} x{}", p.name, p.entrypoint, p.port, p.scale))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        assert_eq!(actual, expected);
    }

    #[test]
    fn web_gets_a_port_and_others_do_not() {
        check(
            &[("web", &["node", "a.js"]), ("worker", &["node", "b.js"])],
            "[process.worker]\nscale = 3",
            "web: [\"/cnb/process/web\"] Some(8080) x1\n\
             worker: [\"/cnb/process/worker\"] None x3",
        );
    }

    #[test]
    fn the_manifest_adds_and_replaces_processes() {
        check(
            &[("web", &["node", "a.js"])],
            "[process.web]\ncommand = \"node c.js\"\nport = 3000\n[process.clock]\ncommand = \"x\"",
            "clock: [\"/cnb/lifecycle/launcher\", \"x\"] None x1\n\
             web: [\"/cnb/lifecycle/launcher\", \"node c.js\"] Some(3000) x1",
        );
    }

    #[test]
    fn a_release_command_is_no_process_that_runs() {
        let release = ("release", &["./migrate"][..]);
        let web = ("web", &["node", "a.js"][..]);
        check(
            &[release, web],
            "",
            "release: [\"/cnb/process/release\"] None x0\nweb: [\"/cnb/process/web\"] Some(8080) x1",
        );
        check(
            &[release, web],
            "[deploy]\nrelease = \"bin/up\"",
            "release: [\"/cnb/lifecycle/launcher\", \"bin/up\"] None x0\n\
             web: [\"/cnb/process/web\"] Some(8080) x1",
        );
        check(
            &[release],
            "",
            "nothing says how to run the app; add a file called Procfile with a line such as \
             `web: node server.js`",
        );
    }

    #[test]
    fn a_command_for_afterwards_is_none_either() {
        check(
            &[("web", &["node", "a.js"])],
            "[deploy]\npost_deploy = \"bin/warm\"",
            "post_deploy: [\"/cnb/lifecycle/launcher\", \"bin/warm\"] None x0\n\
             web: [\"/cnb/process/web\"] Some(8080) x1",
        );
    }

    #[test]
    fn an_app_without_a_command_is_told_how_to_have_one() {
        check(
            &[],
            "",
            "nothing says how to run the app; add a file called Procfile with a line such as \
             `web: node server.js`",
        );
        check(
            &[("web", &["a"])],
            "[process.wrker]\nscale = 2",
            "paas.toml describes the process `wrker`, which has no command; there is `web`; add \
             `command = \"…\"` to [process.wrker], or a line to the Procfile",
        );
    }

    #[test]
    fn commands_are_shown_as_people_wrote_them() {
        assert_eq!(shown(&found("web", &["bash", "-c", "exec node a.js"])), "node a.js");
        assert_eq!(shown(&found("web", &["gunicorn", "app:app"])), "gunicorn app:app");
    }

    /// `kinds` of somebody else's buildpack; the default one has a star.
    fn offered(kinds: &str, procfile: &str, expected: &str) {
        let found = kinds.split_whitespace().map(|kind| agent::Process {
            kind: kind.trim_end_matches('*').to_owned(),
            default: kind.ends_with('*'),
            buildpack: "acme/jar".to_owned(),
            ..found(kind, &["run"])
        });
        let roster = processes(&found.collect::<Vec<_>>(), procfile, &Manifest::default()).unwrap();
        let shown = roster.processes.values().map(|p| {
            let target = p.entrypoint[0].trim_start_matches("/cnb/process/");
            format!("{}x{}>{target}", p.name, p.scale)
        });
        let shown: Vec<_> = shown.chain(roster.remarks.iter().cloned()).collect();
        assert_eq!(shown.join(" | "), expected, "{kinds}");
    }

    #[test]
    fn what_somebody_elses_buildpack_only_offers_does_not_run() {
        offered("web* worker", "web: a\nworker: b", "webx1>web | workerx1>worker");
        offered(
            "executable-jar task web*",
            "",
            "executable-jarx0>executable-jar | taskx0>task | webx1>web | \
             executable-jar is there, but does not run: `paas scale executable-jar=1` | \
             task is there, but does not run: `paas scale task=1`",
        );
        offered("sys-info", "", "sys-infox1>sys-info");
        offered("App.Main*", "", "webx1>App.Main | web is the default process, App.Main");
        offered("worker*", "worker: a", "workerx1>worker");
        offered(
            "web My_Tool",
            "",
            "webx1>web | My_Tool does not run: no process can have that name",
        );
    }
}
