//! Runs the programs that build an app, with their output indented below our headings.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PackError, output};
use crate::process::{Strays, execute};

/// Output lines kept to recognise a failure by.
const TAIL: usize = 200;

/// A program about to be run.
#[derive(Debug)]
pub(crate) struct Tool {
    command: Command,
    shown: String,
    path: Vec<PathBuf>,
}

/// A failure that we can explain: text in the output (if it is empty, any), then what it means and
/// what to do.
pub(crate) type Known = (&'static str, &'static str, &'static str);

impl Tool {
    /// `program args…` in `dir`.
    pub(crate) fn new(program: impl AsRef<OsStr>, args: &[&str], dir: &Path) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.args(args).current_dir(dir);
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
        let shown = std::iter::once(name.as_ref()).chain(args.iter().copied());
        Self { shown: shown.collect::<Vec<_>>().join(" "), command, path: Vec::new() }
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets a variable unless the user did.
    pub(crate) fn env_default(self, name: &str, value: &str) -> Self {
        if std::env::var_os(name).is_some() { self } else { self.env(name, value) }
    }

    /// Puts a folder at the front of PATH.
    pub(crate) fn path(mut self, dir: impl Into<PathBuf>) -> Self {
        self.path.insert(0, dir.into());
        self
    }

    /// Runs it and returns what it prints, which is for us and not for the log.
    pub(crate) fn read(mut self, known: &[Known]) -> Result<String, PackError> {
        self.complete_path();
        let output = self.command.stdin(Stdio::null()).output();
        let output = output.map_err(PackError::io(self.command.get_program()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
        Err(explain(&self.shown, &output.status.to_string(), tail, known))
    }

    fn complete_path(&mut self) {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.path.iter().cloned().chain(std::env::split_paths(&inherited));
        let joined: OsString = std::env::join_paths(folders).unwrap_or(inherited.clone());
        self.command.env("PATH", joined);
    }

    /// Runs it. On failure the known explanations are tried in order.
    pub(crate) fn run(mut self, known: &[Known]) -> Result<(), PackError> {
        output::line(&format!("$ {}", self.shown));
        self.complete_path();
        let mut tail: VecDeque<String> = VecDeque::new();
        let status = execute(&mut self.command, Strays::End, &mut |_, text| {
            output::line(&format!("  {}", text.trim_end()));
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(text.trim_end().to_owned());
        });
        let status = status.map_err(PackError::io(self.command.get_program()))?;
        if status.success() {
            return Ok(());
        }
        Err(explain(&self.shown, &status.to_string(), tail.make_contiguous(), known))
    }
}

fn explain(shown: &str, status: &str, tail: &[String], known: &[Known]) -> PackError {
    for (needle, meaning, hint) in known {
        let line = match *needle {
            "" => telling(tail),
            needle => tail.iter().find(|line| line.contains(needle)),
        };
        if let Some(line) = line {
            let reason = format!("`{shown}` failed: {meaning}\n{}", line.trim());
            return PackError::app(reason, *hint);
        }
    }
    let last = telling(tail).map_or(String::new(), |line| format!("\n{}", line.trim()));
    PackError::Tool(format!("`{shown}` failed ({status}){last}"))
}

/// The line that tells most: the last that speaks of an error, which the tool itself need not end
/// with; else the first of npm's that says more than a code; else the last.
fn telling(tail: &[String]) -> Option<&String> {
    const CODES: [&str; 6] = ["code ", "errno ", "syscall ", "path ", "command ", "A complete log"];
    let lines = || tail.iter().filter(|line| !line.trim().is_empty());
    let of_npm = |line: &str| line.trim().strip_prefix("npm error ").map(str::to_owned);
    let speaks =
        |line: &&String| of_npm(line).is_none() && line.to_ascii_lowercase().contains("error");
    let says = |line: &&String| {
        of_npm(line).is_some_and(|text| !CODES.iter().any(|code| text.starts_with(code)))
    };
    lines().rev().find(speaks).or_else(|| lines().find(says)).or_else(|| lines().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tail: &[&str], known: &[Known], expected: &str) {
        let tail: Vec<String> = tail.iter().map(|it| (*it).to_owned()).collect();
        let error = explain("npm run build", "exit status: 1", &tail, known);
        assert_eq!(error.reasons().join("\n"), expected);
    }

    #[test]
    fn a_failure_is_told_by_the_line_that_tells_most() {
        let types = ["a.tsx(1,2): error TS2304: Cannot find name 'x'.", "Failed to check.", ""];
        check(&types, &[], &format!("`npm run build` failed (exit status: 1)\n{}", types[0]));
        check(
            &["x", "npm error code 1", " "],
            &[],
            "`npm run build` failed (exit status: 1)\nnpm error code 1",
        );
        let npm = ["npm error code X", "npm error no such thing", "npm error A complete log of it"];
        check(&npm, &[], &format!("`npm run build` failed (exit status: 1)\n{}", npm[1]));
        let known: [Known; 2] = [("TS9", "never", ""), ("", "the script failed", "try it")];
        check(&types, &known, &format!("`npm run build` failed: the script failed\n{}", types[0]));
        check(&[], &known, "`npm run build` failed (exit status: 1)");
    }
}
