//! The image extension `paas/apt`: whoever requires `apt` of the build plan gets Debian packages into
//! the base images.
//!
//! It provides without looking at the app, so its detection is a file. What it generates are
//! ordinary Dockerfiles of packages, which the lifecycle reads as it reads anybody's.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;

use super::packages::APT;
use super::{PackError, output};
use crate::packages::{Package, PackageSets};
use crate::spec::read_toml_or_default;

/// The build plan of its detection.
pub(crate) const DETECTED: &str = "[[provides]]\nname = \"apt\"\n";

/// `bin/generate <output> <platform> <plan>`.
pub(crate) fn run_generate(args: &[OsString]) -> ExitCode {
    match generate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn generate(args: &[OsString]) -> Result<(), PackError> {
    let argument =
        |place: usize, what| args.get(place).map(PathBuf::from).ok_or(PackError::Called(what));
    let (output, plan) = (argument(0, "its output folder")?, argument(2, "its plan")?);
    let wanted = wanted(&plan)?;
    for (name, packages) in [("run.Dockerfile", &wanted.run), ("build.Dockerfile", &wanted.build)] {
        if packages.is_empty() {
            continue;
        }
        let packages = packages.iter().map(Package::as_str).collect::<Vec<_>>().join(" ");
        let path = output.join(name);
        fs::write(&path, format!("{HEAD} {packages}\n")).map_err(PackError::io(&path))?;
    }
    Ok(())
}

/// What all that require it want together.
fn wanted(plan: &Path) -> Result<PackageSets, PackError> {
    let plan: Plan = read_toml_or_default(plan).map_err(|error| {
        PackError::app(
            format!("a buildpack requires `{APT}` in a way that cannot be read: {error}"),
            "the metadata of that requirement is run = [\"PACKAGE\"] and build = [\"PACKAGE\"]",
        )
    })?;
    let mut all = PackageSets::default();
    for sets in plan.entries.into_iter().filter_map(|entry| entry.metadata) {
        all.run.extend(sets.run);
        all.build.extend(sets.build);
    }
    Ok(all)
}

#[derive(Default, Deserialize)]
struct Plan {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    metadata: Option<PackageSets>,
}

const HEAD: &str = "ARG base_image\nFROM ${base_image}\nUSER root\n\
    RUN apt-get update && apt-get install -y --no-install-recommends";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_require_becomes_two_dockerfiles() {
        let dir = tempfile::tempdir().unwrap();
        let plan = dir.path().join("plan.toml");
        let text = "[[entries]]\nname = \"apt\"\n[entries.metadata]\nrun = [\"jq\", \"figlet\"]\n\
            [[entries]]\nname = \"apt\"\n[[entries]]\nname = \"apt\"\n[entries.metadata]\n\
            run = [\"jq\"]\nversion = \"1\"\n";
        fs::write(&plan, text).unwrap();
        let args = [dir.path().as_os_str().to_owned(), OsString::from("/"), plan.clone().into()];
        generate(&args).unwrap();
        let run = fs::read_to_string(dir.path().join("run.Dockerfile")).unwrap();
        assert!(run.ends_with("--no-install-recommends figlet jq\n"), "{run}");
        assert!(!dir.path().join("build.Dockerfile").exists());

        fs::write(&plan, "[[entries]]\nname = \"apt\"\nmetadata = { run = [\"a;b\"] }\n").unwrap();
        let error = generate(&args).unwrap_err().to_string();
        assert!(error.contains("`a;b` is not the name of a Debian package"), "{error}");
    }
}
