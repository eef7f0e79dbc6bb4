//! The calling convention of buildpacks, for ours: arguments in, files and exit codes out.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::{
    ALL, App, BuildContext, Buildpack, PackError, Process, Verdict, aptfile, output, procfile,
};

/// The exit code of a detection that says no.
const NOT_MINE: u8 = 100;

/// `bin/detect <platform> <plan>`, in the app's folder. Our buildpacks ask nothing of each other;
/// what stands in the plan are Debian packages.
pub(crate) fn run_detect(name: &str, args: &[OsString]) -> ExitCode {
    match find(name).and_then(|pack| detect(pack, &here()?, args)) {
        Ok(Verdict::Recognised(because)) => {
            output::line(&format!("detected because {because}"));
            ExitCode::SUCCESS
        }
        Ok(Verdict::Unknown) => ExitCode::from(NOT_MINE),
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn detect(pack: &dyn Buildpack, app: &App, args: &[OsString]) -> Result<Verdict, PackError> {
    let verdict = recognise(pack, app)?;
    if verdict != Verdict::Unknown {
        let path = args.get(1).map(PathBuf::from).ok_or(PackError::Called("its plan"))?;
        let failed = |error| PackError::io(&path)(std::io::Error::other(error));
        let plan = pack.packages(app)?.plan().map_err(failed)?;
        fs::write(&path, plan).map_err(PackError::io(&path))?;
    }
    Ok(verdict)
}

/// `bin/build <layers> <platform> <plan>`, in the app's folder.
pub(crate) fn run_build(name: &str, args: &[OsString]) -> ExitCode {
    match build(name, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Which of our buildpacks recognise the app in `dir`, as sentences; for `paas launch`, which tells
/// a user before anything is uploaded, and for the goldens of the examples.
pub fn detect_report(dir: &std::path::Path) -> Vec<String> {
    let app = App::new(dir);
    let sentence = |pack: &&dyn Buildpack| match recognise(*pack, &app) {
        Ok(Verdict::Recognised(because)) => Some(format!("{}: {because}", pack.name())),
        Ok(Verdict::Unknown) => None,
        Err(error) => Some(format!("{}: {error}", pack.name())),
    };
    ALL.iter().filter_map(sentence).collect()
}

/// A buildpack's verdict. A faulty Procfile or Aptfile ends every detection of an app that is
/// recognised: otherwise the optional buildpack would drop out, and the app would run with other
/// processes or packages than its author wrote.
fn recognise(pack: &dyn Buildpack, app: &App) -> Result<Verdict, PackError> {
    let verdict = pack.detect(app)?;
    if verdict != Verdict::Unknown {
        procfile::check(app)?;
        if pack.name() != aptfile::NAME {
            aptfile::check(app)?;
        }
    }
    Ok(verdict)
}

fn build(name: &str, args: &[OsString]) -> Result<(), PackError> {
    let pack = find(name)?;
    let layers = args.first().map(PathBuf::from).ok_or(PackError::Called("its layers folder"))?;
    let context = BuildContext::new(here()?, layers.clone());
    let processes = pack.build(&context)?;
    let path = layers.join("launch.toml");
    let text = toml::to_string(&Launch::of(&processes))
        .map_err(|error| PackError::io(&path)(std::io::Error::other(error)))?;
    fs::write(&path, text).map_err(PackError::io(path))
}

fn find(name: &str) -> Result<&'static dyn Buildpack, PackError> {
    ALL.into_iter().find(|pack| pack.name() == name).ok_or(PackError::Called("a known name"))
}

fn here() -> Result<App, PackError> {
    Ok(App::new(std::env::current_dir().map_err(PackError::io("the app's folder"))?))
}

/// Our `launch.toml`, for Buildpack API 0.10.
#[derive(Serialize)]
struct Launch<'a> {
    processes: Vec<LaunchProcess<'a>>,
}

#[derive(Serialize)]
struct LaunchProcess<'a> {
    r#type: &'a str,
    command: &'a [String],
    #[serde(rename = "working-dir", skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
    default: bool,
}

impl<'a> Launch<'a> {
    fn of(processes: &'a [Process]) -> Self {
        let written = processes.iter().map(|process| LaunchProcess {
            r#type: &process.kind,
            command: &process.command,
            working_dir: process.working_dir.as_deref(),
            default: process.kind == "web",
        });
        Self { processes: written.collect() }
    }
}
