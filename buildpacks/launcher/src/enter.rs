//! `/.paas/enter FILE PROGRAM…`: a program with the secrets of its app in its environment.
//!
//! The daemon mounts this program and the file into containers of apps that have secrets, whatever their
//! image, and puts it before their entry point: so the values are in no description of a container and in
//! no list of processes. The file has `NAME=value` and a zero byte for each. It says 126 and 127 as shells
//! do, and 82 for a file that cannot be read.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::entry::complain;
use crate::environment::Environment;

/// Becomes the program; returns only if that fails.
pub(crate) fn enter(words: Vec<OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let (Some(file), Some(program)) = (words.next(), words.next()) else {
        complain("a file of variables and a program are wanted");
        return ExitCode::from(UNUSABLE);
    };
    let mut env = Environment::inherited();
    if let Err(error) = read(Path::new(&file), &mut env) {
        complain(&format!(
            "the secrets of this instance cannot be read: {error}; only paas itself starts it with them"
        ));
        return ExitCode::from(UNUSABLE);
    }
    let mut command = Command::new(&program);
    env.apply_to(&mut command);
    let error = command.args(words).exec();
    complain(&format!("cannot start `{}`: {error}", program.to_string_lossy()));
    ExitCode::from(match error.kind() {
        ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_STARTED,
    })
}

fn read(file: &Path, env: &mut Environment) -> std::io::Result<()> {
    for variable in std::fs::read(file)?.split(|byte| *byte == 0) {
        let Some(at) = variable.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = variable.split_at(at);
        let value = value.strip_prefix(b"=").unwrap_or(value);
        env.set(OsStr::from_bytes(name), OsStr::from_bytes(value));
    }
    Ok(())
}

const UNUSABLE: u8 = 82;
const NOT_STARTED: u8 = 126;
const NOT_FOUND: u8 = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_byte_exact_and_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("environment");
        std::fs::write(&file, b"A=1=2\n3\0EMPTY=\0B=\xff\0").unwrap();
        let mut env = Environment::default();
        env.set("A", "before");
        read(&file, &mut env).unwrap();
        assert_eq!(env.value("A"), "1=2\n3");
        assert!(env.holds("EMPTY") && env.value("EMPTY").is_empty());
        assert_eq!(env.value("B"), OsStr::from_bytes(b"\xff"));
        assert!(read(&folder.path().join("none"), &mut env).is_err());
    }
}
