//! Merges what each buildpack's `launch.toml` contributes into the processes of the image.

use std::collections::BTreeMap;

use super::catalog::Installed;
use crate::agent::Process;
use crate::spec::{Api, Command, Label, LaunchToml, Slice, takes_part};

/// The processes, labels and slices so far.
#[derive(Debug, Default)]
pub(super) struct Launch {
    processes: BTreeMap<String, Process>,
    labels: BTreeMap<String, String>,
    pub(super) slices: Vec<Slice>,
    default: Option<String>,
}

/// How a `launch.toml` broke the contract.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error("launch.toml: the process type `{0}` may hold letters, digits, `.`, `_` and `-` only")]
    Kind(String),
    #[error("launch.toml: the command of `{0}` must be an array since Buildpack API 0.9")]
    TextCommand(String),
    #[error("launch.toml: the command of `{0}` must be text before Buildpack API 0.9")]
    ArrayCommand(String),
    #[error("launch.toml: the command of `{0}` is empty")]
    EmptyCommand(String),
    #[error("launch.toml: `direct` of `{0}` is not allowed since Buildpack API 0.9")]
    Direct(String),
    #[error("launch.toml has more than one default process")]
    Defaults,
}

impl Launch {
    /// Adds one buildpack's document. A later buildpack overrides a type; the last default wins,
    /// and redefining the default type as ordinary leaves the image without a default.
    pub(super) fn add(
        &mut self,
        installed: &Installed,
        file: LaunchToml,
    ) -> Result<(), LaunchError> {
        if file.processes.iter().filter(|process| process.default).count() > 1 {
            return Err(LaunchError::Defaults);
        }
        let own = &installed.descriptor;
        for written in file.processes {
            if own.api >= Api::V0_12 && !takes_part(&written.exec_env) {
                continue;
            }
            let kind = written.kind;
            if !is_kind(&kind) {
                return Err(LaunchError::Kind(kind));
            }
            let (command, direct) = command(own.api, &kind, written.command, written.direct)?;
            if written.default {
                self.default = Some(kind.clone());
            } else if self.default.as_ref() == Some(&kind) {
                self.default = None;
            }
            let working_dir = written.working_dir.filter(|_| own.api >= Api::V0_8);
            let buildpack = installed.id().to_string();
            let args = written.args;
            let process = Process {
                kind: kind.clone(),
                command,
                args,
                direct,
                default: false,
                working_dir,
                buildpack,
            };
            self.processes.insert(kind, process);
        }
        self.labels.extend(file.labels.into_iter().map(|label| (label.key, label.value)));
        self.slices.extend(file.slices);
        Ok(())
    }

    /// The processes sorted by type, with the default marked.
    pub(super) fn processes(&self) -> Vec<Process> {
        let mark = |process: &Process| {
            let default = self.default.as_ref() == Some(&process.kind);
            Process { default, ..process.clone() }
        };
        self.processes.values().map(mark).collect()
    }

    /// The labels, each key once.
    pub(super) fn labels(&self) -> Vec<Label> {
        let label =
            |(key, value): (&String, &String)| Label { key: key.clone(), value: value.clone() };
        self.labels.iter().map(label).collect()
    }
}

fn is_kind(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !text.chars().all(|c| c == '.')
}

fn command(
    api: Api,
    kind: &str,
    written: Command,
    direct: Option<bool>,
) -> Result<(Vec<String>, bool), LaunchError> {
    let kind = kind.to_owned();
    match written {
        Command::Array(words) if api < Api::V0_9 || words.is_empty() => Err(if words.is_empty() {
            LaunchError::EmptyCommand(kind)
        } else {
            LaunchError::ArrayCommand(kind)
        }),
        Command::Text(_) if api >= Api::V0_9 => Err(LaunchError::TextCommand(kind)),
        Command::Array(_) if direct.is_some() => Err(LaunchError::Direct(kind)),
        Command::Array(words) => Ok((words, true)),
        Command::Text(text) => Ok((vec![text], direct.unwrap_or(false))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(api: &str) -> Installed {
        let text = format!("api = \"{api}\"\n[buildpack]\nid = \"a\"\nversion = \"1\"\n");
        let kind = crate::spec::Kind::Buildpack;
        Installed { dir: "/".into(), descriptor: toml::from_str(&text).unwrap(), kind }
    }

    fn check(files: &[(&str, &str)], expected: &str) {
        let mut launch = Launch::default();
        for (api, text) in files {
            let file = toml::from_str(text).unwrap();
            if let Err(error) = launch.add(&pack(api), file) {
                return assert_eq!(error.to_string(), expected);
            }
        }
        let show = |p: &Process| {
            let direct = if p.direct { "" } else { " via shell" };
            let default = if p.default { "*" } else { "" };
            format!("{}{default}={}{direct}", p.kind, p.command.join(","))
        };
        let shown: Vec<_> = launch.processes().iter().map(show).collect();
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn bp_launch_toml_processes() {
        const WEB: &str =
            "[[processes]]\ntype = \"web\"\ncommand = [\"a\", \"b\"]\ndefault = true\n";
        const PLAIN: &str = "[[processes]]\ntype = \"web\"\ncommand = [\"c\"]\n";
        const TEXT: &str = "[[processes]]\ntype = \"web\"\ncommand = \"c\"\n";
        check(&[("0.10", WEB)], "web*=a,b");
        check(&[("0.10", WEB), ("0.10", PLAIN)], "web=c");
        check(&[("0.8", TEXT)], "web=c via shell");
        check(&[("0.8", &format!("{TEXT}direct = true\n"))], "web=c");
        check(
            &[("0.10", TEXT)],
            "launch.toml: the command of `web` must be an array since Buildpack API 0.9",
        );
        check(&[("0.10", &format!("{WEB}{WEB}"))], "launch.toml has more than one default process");
        check(
            &[("0.10", &format!("{PLAIN}direct = true\n"))],
            "launch.toml: `direct` of `web` is not allowed since Buildpack API 0.9",
        );
        check(
            &[("0.10", "[[processes]]\ntype = \"a/b\"\ncommand = [\"a\"]\n")],
            "launch.toml: the process type `a/b` may hold letters, digits, `.`, `_` and `-` only",
        );
        check(
            &[("0.8", PLAIN)],
            "launch.toml: the command of `web` must be text before Buildpack API 0.9",
        );
        check(
            &[("0.9", "[[processes]]\ntype = \"web\"\ncommand = []\n")],
            "launch.toml: the command of `web` is empty",
        );
        let stray = format!("bom = 1\n{PLAIN}stray = true\n[[labels]]\nkey=\"a\"\nvalue=\"b\"\n");
        check(&[("0.10", &stray)], "web=c");
    }

    #[test]
    fn bp_launch_toml_the_last_default_wins() {
        let process = |kind: &str, default: bool| {
            format!(
                "[[processes]]\ntype = \"{kind}\"\ncommand = [\"{kind}\"]\ndefault = {default}\n"
            )
        };
        let (a, b) = (process("a", true), process("b", true));
        check(&[("0.10", &a), ("0.10", &b)], "a=a b*=b");
        check(&[("0.10", &b), ("0.10", &a)], "a*=a b=b");
        check(&[("0.10", &a), ("0.10", &process("a", false))], "a=a");
        check(&[("0.10", &a), ("0.10", &process("c", false))], "a*=a c=c");
    }

    #[test]
    fn bp_launch_toml_working_dir_and_execution_environment() {
        const TEXT: &str =
            "[[processes]]\ntype = \"web\"\nworking-dir = \"sub\"\nexec-env = [\"test\"]\n";
        let folder = |api: &str, command: &str| {
            let mut launch = Launch::default();
            launch.add(&pack(api), toml::from_str(&format!("{TEXT}{command}")).unwrap()).unwrap();
            launch.processes().first().map(|process| process.working_dir.clone())
        };
        assert_eq!(folder("0.7", "command = \"a\""), Some(None));
        assert_eq!(folder("0.8", "command = \"a\""), Some(Some("sub".to_owned())));
        assert_eq!(folder("0.11", "command = [\"a\"]"), Some(Some("sub".to_owned())));
        assert_eq!(folder("0.12", "command = [\"a\"]"), None);
    }
}
