//! Procfiles: the processes of an app, in the user's own words.
//!
//! One process a line, `type: command`; a strict grammar with line numbers, because a line that is
//! quietly skipped is a process that is quietly missing.

use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};

/// The buildpack `paas/procfile`.
#[derive(Debug)]
pub(crate) struct Procfile;

/// The most processes that an app may have.
const MAX_PROCESSES: usize = 50;
/// The longest name of a process type, in bytes: it becomes part of host and container names.
const MAX_TYPE: usize = 30;

impl Buildpack for Procfile {
    fn name(&self) -> &'static str {
        "procfile"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        let processes = processes(app)?;
        if processes.is_empty() {
            return Ok(Verdict::Unknown);
        }
        Ok(Verdict::Recognised(format!("Procfile defines {}", kinds(&processes))))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let processes = processes(&context.app)?;
        output::heading("Processes from Procfile");
        for process in &processes {
            let command = process.command.last().map_or("", String::as_str);
            output::line(&format!("{}: {command}", process.kind));
        }
        Ok(processes)
    }
}

/// Whether the app's Procfile defines a process of that type; a faulty Procfile defines nothing
/// here, its own detection reports the fault.
pub(super) fn defines(app: &App, kind: &str) -> bool {
    processes(app).is_ok_and(|all| all.iter().any(|process| process.kind == kind))
}

/// Fails if there is a faulty Procfile.
pub(super) fn check(app: &App) -> Result<(), PackError> {
    processes(app).map(drop)
}

/// The lines of a Procfile, type and command, for apps that no buildpack builds.
pub fn lines(text: &str) -> Result<Vec<(String, String)>, String> {
    let processes = parse(text).map_err(|error| error.to_string())?;
    let line = |process: Process| Some((process.kind, process.command.into_iter().next_back()?));
    Ok(processes.into_iter().filter_map(line).collect())
}

/// The processes, in the order of the file.
fn processes(app: &App) -> Result<Vec<Process>, PackError> {
    parse(&app.text("Procfile")?.unwrap_or_default())
}

fn parse(text: &str) -> Result<Vec<Process>, PackError> {
    let mut processes: Vec<Process> = Vec::new();
    let mut lines = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |what: &str, hint: &str| {
            Err(PackError::app(format!("Procfile line {number}: {what}"), hint))
        };
        let Some((kind, command)) = line.split_once(':') else {
            return fault(
                &format!("`{line}` has no `:`"),
                "write one process a line, as in `web: node server.js`",
            );
        };
        let (kind, command) = (kind.trim_end(), command.trim());
        if !is_kind(kind) {
            return fault(
                &format!("`{kind}` cannot be a process type"),
                "use a lower-case letter, then letters, digits and `-`, at most 30 in all",
            );
        }
        if command.is_empty() {
            return fault(
                &format!("`{kind}` has no command"),
                &format!("write what starts it, as in `{kind}: node server.js`"),
            );
        }
        if let Some(first) = processes.iter().position(|it| it.kind == kind) {
            let first = lines.get(first).copied().unwrap_or(0);
            return fault(
                &format!("`{kind}` is already defined on line {first}"),
                "give each process its own type, as in `web` and `worker`",
            );
        }
        if processes.len() == MAX_PROCESSES {
            return fault("there are more than 50 processes", "split the app");
        }
        processes.push(Process::shell(kind, command));
        lines.push(number);
    }
    Ok(processes)
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= MAX_TYPE
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.ends_with('-')
}

fn kinds(processes: &[Process]) -> String {
    processes.iter().map(|process| process.kind.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match parse(text) {
            Ok(all) => {
                let show = |p: &Process| format!("{}={}", p.kind, p.command[2]);
                all.iter().map(show).collect::<Vec<_>>().join("; ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn a_procfile_says_what_is_wrong_and_where() {
        check(
            "web: node a.js\n\n# note\nworker : run --x=a:b\r\n",
            "web=node a.js; worker=run --x=a:b",
        );
        check("\u{feff}web: a", "web=a");
        check("", "");
        check("web node a.js", "Procfile line 1: `web node a.js` has no `:`");
        check("web: a\nWeb: b", "Procfile line 2: `Web` cannot be a process type");
        check("\nweb:", "Procfile line 2: `web` has no command");
        check("web: a\n\nweb: b", "Procfile line 3: `web` is already defined on line 1");
        check("we b: a", "Procfile line 1: `we b` cannot be a process type");
        check(": a", "Procfile line 1: `` cannot be a process type");
    }
}
