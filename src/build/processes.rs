//! What buildpacks found and what `paas.toml` says, put together as the processes of a release.
//! Pure.
//!
//! Invariant: every process of them runs through the launcher, which knows the layers' environment;
//! images of others have none, and run as they say themselves.

use std::collections::BTreeMap;

use buildpacks::agent;

use crate::model::{
    HealthCheck, Privileges, Process, ProcessName,
    manifest::{Manifest, ManifestProcess},
    process::{DEFAULT_PORT, DEFAULT_STOP_TIMEOUT, Limits},
};

/// Why there is nothing to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessesError {
    /// Neither a buildpack nor the manifest names a process.
    #[error("nothing says how to run the app")]
    None,
    /// A buildpack gave a name that cannot be used.
    #[error("a buildpack named a process badly: {0}")]
    Name(#[from] crate::model::InvalidName),
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
            Self::Name(_) => "rename the process in the Procfile".to_owned(),
            Self::Unknown { name, .. } => {
                format!("add `command = \"…\"` to [process.{name}], or a line to the Procfile")
            }
        }
    }
}

/// The processes of an image, with what the manifest says of them.
pub(crate) fn processes(
    found: &[agent::Process],
    manifest: &Manifest,
) -> Result<BTreeMap<ProcessName, Process>, ProcessesError> {
    let mut processes = BTreeMap::new();
    for process in found {
        let name: ProcessName = process.kind.parse()?;
        let entrypoint = vec![format!("{PROCESSES}/{name}")];
        processes.insert(name.clone(), plain(name, entrypoint, shown(process)));
    }
    described(processes, manifest, &|command| vec![LAUNCHER.to_owned(), command.to_owned()])
}

/// With what the manifest says of processes; `shell` is how a command of its becomes an entry point.
pub(super) fn described(
    mut processes: BTreeMap<ProcessName, Process>,
    manifest: &Manifest,
    shell: &dyn Fn(&str) -> Vec<String>,
) -> Result<BTreeMap<ProcessName, Process>, ProcessesError> {
    for (name, described) in &manifest.processes {
        if let Some(command) = &described.command {
            let process = plain(name.clone(), shell(command), command.clone());
            processes.insert(name.clone(), process);
        }
        if let Some(process) = processes.get_mut(name) {
            describe(process, described);
        } else {
            let known = processes.keys().map(|it| format!("`{it}`")).collect::<Vec<_>>();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ProcessesError::Unknown { name: name.clone(), known });
        }
    }
    if processes.is_empty() { Err(ProcessesError::None) } else { Ok(processes) }
}

/// One of which nobody says anything else.
pub(super) fn plain(name: ProcessName, entrypoint: Vec<String>, command: String) -> Process {
    Process {
        port: name.is_web().then_some(DEFAULT_PORT),
        name,
        entrypoint,
        command,
        scale: 1,
        health: HealthCheck::default(),
        stop_timeout: DEFAULT_STOP_TIMEOUT,
        limits: Limits::default(),
        privileges: Privileges::Plain,
    }
}

fn describe(process: &mut Process, described: &ManifestProcess) {
    let Process { port, scale, health, stop_timeout, limits, .. } = process;
    *port = described.port.or(*port);
    *scale = described.scale.unwrap_or(*scale);
    *stop_timeout = described.stop_timeout.unwrap_or(*stop_timeout);
    limits.memory = described.memory.unwrap_or(limits.memory);
    limits.cpu_millis = described.cpu_millis.or(limits.cpu_millis);
    health.path = described.health.path.clone().or(health.path.take());
    health.interval = described.health.interval.unwrap_or(health.interval);
    health.timeout = described.health.timeout.unwrap_or(health.timeout);
    health.grace = described.health.grace.unwrap_or(health.grace);
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
        let actual = match processes(&found, &manifest) {
            Err(error) => format!("{error}; {}", error.hint()),
            Ok(all) => all
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
}
