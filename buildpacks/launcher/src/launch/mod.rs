//! The launcher: the first program of an app container, which becomes the app's process.
//!
//! It is called `launcher` or by a process type, sets up what the buildpacks contributed for run
//! time, and replaces itself by `exec`, so that the app is process 1 and gets the signals itself.
//! Exit codes: 11 for a Platform API and 12 for a Buildpack API that we do not speak, 127 and 126 for a
//! command that its user gave and that is not there or cannot be executed, 82 for whatever else keeps
//! the process from being started, otherwise the process's own.

mod choice;
mod exec_d;
mod shell;
mod variables;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::environment::Environment;
use crate::roots::Roots;
use crate::spec::{Api, Metadata, ReadError, read_toml_or_default};
use choice::{Choice, How};

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("the image's launch configuration cannot be read")]
    Metadata(#[from] ReadError),
    #[error("the image was made for Platform API {0}, and this launcher speaks 0.7 to 0.15")]
    PlatformApi(String),
    #[error("the buildpack {0} speaks Buildpack API {1}, and this launcher 0.7 to 0.12")]
    BuildpackApi(String, String),
    #[error("when there is no default process a command is required")]
    NoCommand,
    #[error("the image has no process `{0}`; it has: {1}")]
    NoProcess(String, String),
    #[error("cannot read the layers' environment")]
    Layers(#[source] std::io::Error),
    #[error("{path} failed: {reason}")]
    ExecD { path: PathBuf, reason: String },
    #[error("`{program}` was found neither as a file nor on PATH")]
    NotFound { program: String, by: By },
    #[error("cannot start `{program}`")]
    Exec { program: String, by: By, source: std::io::Error },
}

/// Who said what is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The image: it is a process of it.
    Image,
    /// Whoever called the launcher, as one calls a shell.
    User,
}

impl LaunchError {
    /// The exit code of the Platform API, or a shell's.
    fn code(&self) -> u8 {
        match self {
            Self::PlatformApi(_) => 11,
            Self::BuildpackApi(..) => 12,
            Self::NotFound { by: By::User, .. } => 127,
            Self::Exec { by: By::User, .. } => 126,
            Self::Metadata(_)
            | Self::NoCommand
            | Self::NoProcess(..)
            | Self::Layers(_)
            | Self::ExecD { .. }
            | Self::NotFound { by: By::Image, .. }
            | Self::Exec { by: By::Image, .. } => 82,
        }
    }
}

/// Whether the bare name `argv0` is a process of this image.
pub(crate) fn is_process(argv0: &OsStr, roots: &Roots) -> bool {
    let metadata: Metadata = read_toml_or_default(&roots.metadata_toml()).unwrap_or_default();
    metadata.processes.iter().any(|process| OsStr::new(&process.kind) == argv0)
}

/// Becomes the chosen process; returns only if that fails.
pub(crate) fn launch(argv0: &OsStr, args: Vec<OsString>, roots: &Roots) -> ExitCode {
    let Err(error) = start(argv0, args, roots);
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        text = format!("{text}: {source}");
    }
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "error: failed to launch: {text}");
    ExitCode::from(error.code())
}

fn start(
    argv0: &OsStr,
    args: Vec<OsString>,
    roots: &Roots,
) -> Result<std::convert::Infallible, LaunchError> {
    let metadata: Metadata = read_toml_or_default(&roots.metadata_toml())?;
    let inherited = Environment::inherited();
    check_apis(&inherited, &metadata)?;
    let choice = choice::choose(&metadata, argv0, args)?;
    let mut env = variables::stripped(inherited);
    let kind = choice.kind.as_deref();
    let by = if kind.is_some() { By::Image } else { By::User };
    variables::apply(&mut env, roots, &metadata, kind).map_err(LaunchError::Layers)?;
    exec_d::run(&mut env, roots, &metadata, kind)?;
    let folder = working_folder(roots, &choice);
    let mut command = match choice.how {
        How::Direct => {
            // The shell goes there by itself, once the profiles have run in the app's folder.
            let program = look_up(&choice.program, by, &env, &folder)?;
            let mut command = Command::new(program);
            command.arg0(&choice.program).args(&choice.args).current_dir(folder);
            command
        }
        How::Shell => shell::command(&choice, roots, &metadata).map_err(LaunchError::Layers)?,
    };
    env.apply_to(&mut command);
    let program = choice.program.to_string_lossy().into_owned();
    let source = command.exec();
    Err(LaunchError::Exec { program, by, source })
}

/// Refuses what a later lifecycle may have meant differently. `CNB_PROCESS_TYPE` chose the process
/// once; whoever still sets it is told that it does not.
fn check_apis(env: &Environment, metadata: &Metadata) -> Result<(), LaunchError> {
    let platform = env.value("CNB_PLATFORM_API").to_string_lossy();
    if !platform.is_empty() && !platform.parse().is_ok_and(Api::is_supported_platform) {
        return Err(LaunchError::PlatformApi(platform.into_owned()));
    }
    for own in &metadata.buildpacks {
        if !own.api.parse().is_ok_and(Api::is_supported) {
            return Err(LaunchError::BuildpackApi(own.id.clone(), own.api.clone()));
        }
    }
    if env.holds("CNB_PROCESS_TYPE") {
        let said = "warning: CNB_PROCESS_TYPE does not choose the process any more; start /cnb/process/<type>";
        let _ = writeln!(std::io::stderr(), "{said}");
    }
    Ok(())
}

fn working_folder(roots: &Roots, choice: &Choice) -> PathBuf {
    let own = choice.working_dir.as_deref().unwrap_or("");
    roots.workspace.join(own)
}

/// The program's file: as a shell would find it, with the PATH that the process will have.
fn look_up(
    program: &OsStr,
    by: By,
    env: &Environment,
    folder: &Path,
) -> Result<PathBuf, LaunchError> {
    let runnable = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let found = if program.to_string_lossy().contains('/') {
        // What is there and cannot be executed, the kernel says of.
        Some(folder.join(program)).filter(|path| path.exists())
    } else {
        std::env::split_paths(env.value("PATH")).map(|dir| dir.join(program)).find(runnable)
    };
    found.ok_or_else(|| {
        let program = program.to_string_lossy().into_owned();
        LaunchError::NotFound { program, by }
    })
}
