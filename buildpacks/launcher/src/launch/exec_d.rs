//! `exec.d`: programs of buildpacks that add variables right before the process starts.
//!
//! Each writes TOML on its descriptor 3. Invariant: the launcher has one thread, so no other
//! program can be started between opening that descriptor and closing it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::{LaunchError, variables};
use crate::environment::{Environment, sorted_entries};
use crate::roots::Roots;
use crate::spec::Metadata;

/// The most that a program may write, in bytes.
const MAX_OUTPUT: u64 = 1 << 20;

/// Runs the programs of all buildpacks, for any process and then for this one.
pub(super) fn run(
    env: &mut Environment,
    roots: &Roots,
    metadata: &Metadata,
    kind: Option<&str>,
) -> Result<(), LaunchError> {
    for own in &metadata.buildpacks {
        for layer in variables::layers(roots, &own.id).map_err(LaunchError::Layers)? {
            let common = layer.join("exec.d");
            let special = kind.map(|kind| common.join(kind));
            for dir in std::iter::once(common).chain(special) {
                let programs = sorted_entries(&dir).map_err(LaunchError::Layers)?;
                for program in programs.iter().filter(|path| path.is_file()) {
                    run_one(env, roots, program)?;
                }
            }
        }
    }
    Ok(())
}

fn run_one(env: &mut Environment, roots: &Roots, program: &Path) -> Result<(), LaunchError> {
    let failed = |reason: &dyn std::fmt::Display| LaunchError::ExecD {
        path: program.to_owned(),
        reason: reason.to_string(),
    };
    let text = output(env, &roots.workspace, program).map_err(|error| failed(&error))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| failed(&error))?;
    for (name, value) in table {
        let Some(value) = value.as_str() else {
            return Err(failed(&format!("the value of {name} is not a string")));
        };
        env.set(name, value);
    }
    Ok(())
}

fn output(env: &Environment, folder: &PathBuf, program: &Path) -> std::io::Result<String> {
    let (mut reader, three) = pipe_to_three()?;
    let mut command = Command::new(program);
    env.apply_to(&mut command);
    let child = command.current_dir(folder).spawn();
    // Our copy must go, else the pipe would never end.
    drop(three);
    let mut child = child?;
    let mut text = String::new();
    Read::by_ref(&mut reader).take(MAX_OUTPUT).read_to_string(&mut text)?;
    // Who writes more than that must not wait for a reader.
    drop(reader);
    let status = child.wait()?;
    if status.success() {
        return Ok(text);
    }
    Err(std::io::Error::other(status.to_string()))
}

/// A pipe whose writing end is descriptor 3 and is inherited. The pipe itself may come as 3, so both
/// ends are moved out of the way first.
fn pipe_to_three() -> std::io::Result<(File, OwnedFd)> {
    let (reader, writer) = std::io::pipe()?;
    let (far_reader, far_writer) =
        (fcntl_dupfd_cloexec(&reader, 10)?, fcntl_dupfd_cloexec(&writer, 10)?);
    drop((reader, writer));
    let three = fcntl_dupfd_cloexec(&far_writer, 3)?;
    if three.as_raw_fd() != 3 {
        return Err(std::io::Error::other("descriptor 3 is in use"));
    }
    fcntl_setfd(&three, FdFlags::empty())?;
    Ok((File::from(far_reader), three))
}
