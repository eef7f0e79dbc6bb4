//! Which process is meant, and with which arguments.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::LaunchError;
use crate::spec::{Api, Metadata, MetadataProcess};

/// What will be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The process type; absent for a command that the user gave.
    pub(super) kind: Option<String>,
    pub(super) how: How,
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) working_dir: Option<String>,
}

/// With or without a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Direct,
    Shell,
}

/// Decides by the name that we were called by, then by the arguments.
pub(super) fn choose(
    metadata: &Metadata,
    argv0: &OsStr,
    args: Vec<OsString>,
) -> Result<Choice, LaunchError> {
    let name = Path::new(argv0).file_name().unwrap_or(argv0).to_string_lossy().into_owned();
    if let Some(process) = metadata.processes.iter().find(|process| process.kind == name) {
        return Ok(defined(metadata, process, args));
    }
    if name != "launcher" {
        let known: Vec<&str> = metadata.processes.iter().map(|it| it.kind.as_str()).collect();
        return Err(LaunchError::NoProcess(name, known.join(", ")));
    }
    given(args)
}

/// A process of the image.
fn defined(metadata: &Metadata, process: &MetadataProcess, args: Vec<OsString>) -> Choice {
    let words = |list: &[String]| list.iter().map(OsString::from).collect::<Vec<_>>();
    let (program, fixed) = process.command.split_first().map_or_else(
        || (OsString::new(), Vec::new()),
        |(program, fixed)| (OsString::from(program), words(fixed)),
    );
    let own = metadata.buildpacks.iter().find(|own| own.id == process.buildpack_id);
    let appends =
        own.and_then(|own| own.api.parse::<Api>().ok()).is_some_and(|api| api < Api::V0_9);
    let rest = if args.is_empty() {
        words(&process.args)
    } else if appends && fixed.is_empty() {
        // Before Buildpack API 0.9 the user's arguments came after those of the process.
        words(&process.args).into_iter().chain(args).collect()
    } else {
        args
    };
    Choice {
        kind: Some(process.kind.clone()),
        how: if process.direct { How::Direct } else { How::Shell },
        program,
        args: fixed.into_iter().chain(rest).collect(),
        working_dir: process.working_dir.clone(),
    }
}

/// A command that the user gave: after `--` as it is, else through a shell.
fn given(args: Vec<OsString>) -> Result<Choice, LaunchError> {
    let mut words = args.into_iter().peekable();
    let how = if words.peek().is_some_and(|word| word == "--") {
        words.next();
        How::Direct
    } else {
        How::Shell
    };
    let program = words.next().ok_or(LaunchError::NoCommand)?;
    Ok(Choice { kind: None, how, program, args: words.collect(), working_dir: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = r#"
        [[buildpacks]]
        id = "new"
        version = "1"
        api = "0.10"
        [[buildpacks]]
        id = "old"
        version = "1"
        api = "0.8"
        [[processes]]
        type = "web"
        command = ["serve", "--fixed"]
        args = ["--default"]
        direct = true
        buildpack-id = "new"
        [[processes]]
        type = "one"
        command = ["one"]
        args = ["--default"]
        direct = true
        buildpack-id = "new"
        [[processes]]
        type = "legacy"
        command = ["run"]
        args = ["--default"]
        buildpack-id = "old"
    "#;

    fn check(argv0: &str, args: &str, expected: &str) {
        let metadata = toml::from_str(IMAGE).unwrap();
        let args = args.split_whitespace().map(OsString::from).collect();
        let shown = match choose(&metadata, OsStr::new(argv0), args) {
            Ok(choice) => {
                let words: Vec<_> =
                    choice.args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                format!("{:?} {} {}", choice.how, choice.program.to_string_lossy(), words.join(" "))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown.trim(), expected);
    }

    #[test]
    fn a7_process_and_arguments() {
        check("/cnb/process/web", "", "Direct serve --fixed --default");
        check("/cnb/process/web", "--mine", "Direct serve --fixed --mine");
        check("/cnb/process/one", "--mine", "Direct one --mine");
        check("/cnb/process/legacy", "--mine", "Shell run --default --mine");
        check("/cnb/lifecycle/launcher", "-- env -0", "Direct env -0");
        check("launcher", "echo $PORT", "Shell echo $PORT");
        check("launcher", "", "when there is no default process a command is required");
        check("/cnb/process/x", "", "the image has no process `x`; it has: web, one, legacy");
    }
}
