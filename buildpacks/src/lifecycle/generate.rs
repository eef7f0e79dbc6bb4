//! Generation: what the image extensions of a group want of the base images.
//!
//! Their Dockerfiles are read, never run: packages are all that an extension can add here.
//! Invariant: what extensions provide is out of the plan before a buildpack sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::explain;
use super::catalog::Installed;
use super::detect::Detected;
use super::settled::Settled;
use super::variables::{Purpose, variables};
use super::{Build, Progress, remove};
use crate::agent::{Code, Failed, Phase};
use crate::packages::{MAX_PACKAGES, PackageSets};
use crate::process::{Strays, execute, exit_code};
use crate::spec::{
    Entry, ExtendConfig, Kind, PackPlan, Side, dockerfile_packages, read_small,
    read_toml_or_default,
};

/// Lets each extension of the group speak.
pub(super) fn generate(
    build: &Build<'_>,
    detected: Detected,
    progress: &mut dyn Progress,
) -> Result<Settled, Failed> {
    let (extensions, group): (Vec<_>, Vec<_>) =
        detected.group.into_iter().partition(|own| own.kind == Kind::Extension);
    let mut entries = detected.plan.entries;
    let mut packages = PackageSets::default();
    for (place, installed) in extensions.iter().enumerate() {
        let met = entries.extract_if(.., |entry| entry.providers.contains(&place));
        let output = run(build, installed, &met.collect::<Vec<_>>(), progress)?;
        read(installed, &output, &mut packages)?;
    }
    if packages.run.len().max(packages.build.len()) > MAX_PACKAGES {
        let reason = format!("the app asks for more than {MAX_PACKAGES} Debian packages");
        return Err(failed(Code::Generate, reason));
    }
    // Extensions stand before all buildpacks.
    for entry in &mut entries {
        entry.providers.iter_mut().for_each(|place| *place -= extensions.len());
    }
    let extensions = extensions.iter().map(Installed::reference).collect();
    Ok(Settled { group, extensions, entries, packages })
}

/// Runs `bin/generate` and says where its output is; without one the extension brings it.
fn run(
    build: &Build<'_>,
    installed: &Installed,
    met: &[Entry],
    progress: &mut dyn Progress,
) -> Result<PathBuf, Failed> {
    let program = installed.dir.join("bin/generate");
    if !program.exists() {
        let brought = installed.dir.join("generate");
        return Ok(if brought.is_dir() { brought } else { installed.dir.clone() });
    }
    let text = |error: &dyn std::fmt::Display| {
        let reason = format!("bin/generate of {} could not be run: {error}", installed.key());
        failed(Code::Generate, reason)
    };
    let folder = installed.id().escaped();
    let output = build.roots.platform.join("generated").join(&folder);
    remove(&output).map_err(|error| text(&error))?;
    fs::create_dir_all(&output).map_err(|error| text(&error))?;
    let plan = build.scratch(&format!("{folder}.generate.toml")).map_err(|error| text(&error))?;
    let entries = met.iter().flat_map(|entry| &entry.requires).map(Into::into).collect();
    let document = toml::to_string(&PackPlan { entries }).map_err(|error| text(&error))?;
    fs::write(&plan, document).map_err(|error| text(&error))?;
    let mut command = Command::new(program);
    variables(build, installed, Purpose::Generate { output: &output, plan: &plan })
        .map_err(|error| text(&error))?
        .apply_to(&mut command);
    command.arg(&output).arg(&build.roots.platform).arg(&plan).current_dir(&build.roots.workspace);
    let mut lines = Vec::new();
    let status = execute(&mut command, Strays::End, &mut |stream, line| {
        progress.line(stream, line);
        if lines.len() < MAX_LINES {
            lines.push(line.to_owned());
        }
    });
    match exit_code(status.map_err(|error| text(&error))?) {
        0 => Ok(output),
        code => Err(explain(installed, code, &lines)),
    }
}

/// Adds what the two Dockerfiles install.
fn read(installed: &Installed, output: &Path, packages: &mut PackageSets) -> Result<(), Failed> {
    let config: ExtendConfig = read_toml_or_default(&output.join("extend-config.toml"))
        .map_err(|error| failed(Code::Generate, format!("{}: {error}", installed.key())))?;
    let ExtendConfig { run, build } = config;
    let one = |name: &str, side: Side| {
        let path = output.join(name);
        if !path.exists() {
            return Ok(BTreeSet::new());
        }
        let text = read_small(&path)
            .map_err(|error| failed(Code::Generate, format!("{}: {error}", installed.key())))?;
        let args: BTreeMap<String, String> = side.into_args();
        dockerfile_packages(&text, &args).map_err(|refused| {
            let reason = format!("{} of the {}, {refused}", name, installed.key());
            failed(Code::Generate, reason).hint(
                "install packages in it and nothing else; what more the image needs, a Dockerfile \
                 of the app can do",
            )
        })
    };
    packages.run.extend(one("run.Dockerfile", run)?);
    packages.build.extend(one("build.Dockerfile", build)?);
    Ok(())
}

fn failed(code: Code, reason: String) -> Failed {
    Failed::new(code, Phase::Detect, reason)
}

/// Output lines kept to explain a failure.
const MAX_LINES: usize = 40;
