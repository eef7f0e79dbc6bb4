//! Detect, generate, restore, build: from an app folder to layers and processes.
//!
//! Written for any buildpack of Buildpack API 0.7–0.12; ours and foreign ones take the same path.
//! Not here: the export, which runs in the daemon, outside of the container. Invariant: no file of
//! a buildpack is trusted; what cannot be read is a failure with a code, never a panic.

mod aside;
mod board;
mod build;
mod builder;
mod catalog;
mod detect;
mod expand;
mod generate;
mod launch;
mod layers;
mod nearby;
mod notes;
mod program;
mod project;
mod release;
mod resolve;
mod restore;
mod sbom;
mod settled;
mod variables;

use std::fs;
use std::path::Path;

use crate::agent::{Code, Failed, Job, Outcome, Phase, Stream, Wants};
use crate::environment::Environment;
use crate::spec::Target;
use catalog::Catalog;
use launcher::Roots;
pub(crate) use layers::remove;
use settled::Settled;

/// Whoever watches a build.
pub(crate) trait Progress {
    /// A phase begins.
    fn phase(&mut self, phase: Phase);
    /// A line of the log.
    fn line(&mut self, stream: Stream, line: &str);
}

/// What all phases of a build share.
pub(crate) struct Build<'a> {
    roots: &'a Roots,
    /// The environment of the build image.
    base: &'a Environment,
    job: &'a Job,
    target: Target,
    catalog: Catalog,
}

/// Runs one build, or says that it must go on in another image.
pub(crate) fn run(
    roots: &Roots,
    base: &Environment,
    job: &Job,
    progress: &mut dyn Progress,
) -> Result<Outcome, Failed> {
    if job.detection.is_none() {
        progress.phase(Phase::Detect);
    }
    let project = project::read(&roots.workspace)?;
    let catalog = Catalog::open(roots, &job.buildpacks, &project)?;
    project::apply(&project, roots)?;
    let target = release::completed(&job.target, Path::new("/"));
    let build = Build { roots, base, job, target, catalog };
    let settled = match &job.detection {
        Some(carried) => Settled::open(carried, &build.catalog)?,
        None => generate::generate(&build, detect::detect(&build, progress)?, progress)?,
    };
    if settled.packages.build != job.packages {
        let (packages, run_images) = (settled.packages.clone(), build.catalog.run_images.clone());
        return Ok(Outcome::Wants(Wants { packages, run_images, detection: settled.carry()? }));
    }
    progress.phase(Phase::Restore);
    restore::restore(&build, &settled.group).map_err(|error| {
        let reason = format!("cannot prepare the layers of the last build: {error}");
        Failed::new(Code::Restore, Phase::Restore, reason)
    })?;
    progress.phase(Phase::Build);
    build::build(&build, &settled, progress).map(Outcome::Built)
}

impl Build<'_> {
    /// A scratch folder for plan files, emptied for each use.
    fn scratch(&self, name: &str) -> std::io::Result<std::path::PathBuf> {
        let dir = self.roots.platform.join("plans");
        fs::create_dir_all(&dir)?;
        Ok(dir.join(name))
    }
}
