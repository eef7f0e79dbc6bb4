//! Why a program of a buildpack cannot be started, said so that its author knows what to write.
//!
//! The kernel has one word for a missing program and for a missing interpreter of a script, so the
//! first line of the script is read to tell the two apart.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::agent::{Code, Failed, Phase};

/// The reason why `bin/<name>` below `home` could not be started, and what to do.
pub(super) fn refused(home: &Path, name: &str, error: &io::Error) -> (String, Option<String>) {
    let path = home.join("bin").join(name);
    let Ok(meta) = fs::metadata(&path) else {
        let hint = "a buildpack has bin/detect and bin/build, a composite has [[order]] in its \
                    buildpack.toml; one that is compiled must be built and packaged first";
        return ("the buildpack has no such file".to_owned(), Some(hint.to_owned()));
    };
    if !meta.is_file() {
        return ("it is not a file".to_owned(), None);
    }
    if meta.permissions().mode() & 0o111 == 0 {
        let hint = format!("chmod +x bin/{name}, and deploy again");
        return ("it is not executable".to_owned(), Some(hint));
    }
    match (first_line(&path).as_deref().map(interpreter), error.raw_os_error()) {
        (Some(Line::Windows), _) => {
            let hint = format!("sed -i 's/\\r$//' bin/{name}, and deploy again");
            (
                "its lines end as on Windows (CR LF), which no interpreter takes".to_owned(),
                Some(hint),
            )
        }
        (Some(Line::Interpreter(program)), _) if !Path::new(&program).exists() => {
            let hint = format!(
                "begin bin/{name} with an interpreter that is there, such as #!/usr/bin/env bash; \
                 or name the packages that bring {program} in an Aptfile"
            );
            (format!("the build image has no {program}, which its first line names"), Some(hint))
        }
        (_, Some(NOT_A_PROGRAM)) => {
            let hint = format!(
                "begin a script with #!/usr/bin/env bash; a compiled bin/{name} must be made for \
                 linux/{}",
                std::env::consts::ARCH
            );
            (
                "it is neither a script with a #! line nor a program for this machine".to_owned(),
                Some(hint),
            )
        }
        (None, Some(NOT_THERE)) => {
            let hint = "link it statically, or against the libraries of Debian 13";
            (
                "the build image lacks the loader that it was linked for".to_owned(),
                Some(hint.to_owned()),
            )
        }
        _ => (error.to_string(), None),
    }
}

/// The failure of a `bin/build` that could not be started.
pub(super) fn unstarted(key: &str, home: &Path, error: &io::Error) -> Failed {
    let (because, hint) = refused(home, "build", error);
    let reason = format!("bin/build of {key} could not be run: {because}");
    let failed = Failed::new(Code::BuildpackBuild, Phase::Build, reason);
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// The interpreter's path.
    Interpreter(String),
    /// The line has a carriage return, which the kernel takes for a part of the name.
    Windows,
}

fn interpreter(line: &str) -> Line {
    if line.ends_with('\r') {
        return Line::Windows;
    }
    Line::Interpreter(line.split_whitespace().next().unwrap_or_default().to_owned())
}

/// What follows `#!`.
fn first_line(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_LINE).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
    Some(String::from_utf8_lossy(line).trim_start().to_owned())
}

/// As much of the first line as the kernel reads, in bytes.
const MAX_LINE: u64 = 256;
/// `ENOEXEC`.
const NOT_A_PROGRAM: i32 = 8;
/// `ENOENT`.
const NOT_THERE: i32 = 2;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn whoever_wrote_the_program_learns_what_is_wrong_with_it() {
        let check = |text: &[u8], mode: u32, expected: &str, hint: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("bin/build");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Command::new(&path).spawn().unwrap_err();
            let (reason, told) = refused(dir.path(), "build", &error);
            assert_eq!(reason, expected);
            assert!(told.unwrap().starts_with(hint), "{reason}");
        };
        check(b"#!/bin/sh\n", 0o644, "it is not executable", "chmod +x bin/build");
        check(
            b"#!/bin/sh\r\nexit 0\r\n",
            0o755,
            "its lines end as on Windows (CR LF), which no interpreter takes",
            "sed -i 's/\\r$//' bin/build",
        );
        check(
            b"#! /no/such/ruby -w\n",
            0o755,
            "the build image has no /no/such/ruby, which its first line names",
            "begin bin/build with an interpreter that is there",
        );
        check(
            b"echo hello\n",
            0o755,
            "it is neither a script with a #! line nor a program for this machine",
            "begin a script with #!/usr/bin/env bash",
        );
        let empty = tempfile::tempdir().unwrap();
        let error = Command::new(empty.path().join("bin/build")).spawn().unwrap_err();
        assert_eq!(refused(empty.path(), "build", &error).0, "the buildpack has no such file");
    }
}
