//! `[build]` of a `paas.toml`: how an app's image comes about, and what a build may use.
//!
//! Invariant: at most one way is named, and what belongs to another way is refused.

use std::{collections::BTreeSet, time::Duration};

use super::{ManifestError, check_size, section::Section};
use crate::model::{
    BuildpackChoice, ByteSize, EnvKey, ImageReference, InvalidReference, release::Config,
};

/// `[build]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestBuild {
    /// How the image comes about.
    pub way: BuildWay,
    /// The most memory.
    pub memory: Option<ByteSize>,
    /// The most of the disk.
    pub disk: Option<ByteSize>,
    /// The most processes and threads.
    pub pids: Option<u32>,
    /// The longest time.
    pub timeout: Option<Duration>,
    /// The buildpacks, in order; with none they are found by what the folder holds.
    pub buildpacks: Vec<BuildpackChoice>,
    /// Variables that the build sees, and the running app does not.
    pub env: Config,
    /// The app's secrets that the build sees, by name.
    pub secrets: BTreeSet<EnvKey>,
    /// Values for the `ARG`s of a Dockerfile.
    pub args: Config,
    /// The stage of a Dockerfile that is built, if not the last.
    pub target: Option<String>,
}

/// How an app's image comes about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BuildWay {
    /// As the folder suggests.
    #[default]
    Found,
    /// By buildpacks, whatever else is there.
    Buildpacks,
    /// By the buildpacks of this builder image.
    Builder(ImageReference),
    /// By this Dockerfile, a path in the app's folder.
    Dockerfile(String),
    /// It is there already.
    Image(ImageReference),
}

/// Reads the section.
pub(super) fn build(mut section: Section<'_>) -> Result<ManifestBuild, ManifestError> {
    let mut build = ManifestBuild {
        way: way(&mut section)?,
        memory: section.memory("memory")?,
        disk: section.memory("disk")?,
        pids: section.number("pids", 16, 65_536)?,
        timeout: section.duration("timeout")?,
        buildpacks: section.list("buildpacks")?,
        target: section.text("target")?,
        secrets: section.list("secrets")?.into_iter().collect(),
        ..ManifestBuild::default()
    };
    if let Some(env) = section.section("env")? {
        build.env = env.environment()?;
        check_size(&build.env, &env)?;
    }
    if let Some(args) = section.section("args")? {
        build.args = args.environment()?;
        check_size(&build.args, &args)?;
    }
    let other = match build.way {
        BuildWay::Found | BuildWay::Buildpacks | BuildWay::Builder(_) => None,
        BuildWay::Dockerfile(_) => Some("dockerfile"),
        BuildWay::Image(_) => Some("image"),
    };
    if let (Some(other), false) = (other, build.buildpacks.is_empty()) {
        return Err(both(&section, "buildpacks", other));
    }
    section.finish()?;
    Ok(build)
}

fn way(section: &mut Section<'_>) -> Result<BuildWay, ManifestError> {
    section.exclusive(&["builder", "dockerfile", "image"]);
    let mut found = Vec::new();
    if let Some(image) = section.parsed("image")? {
        found.push(("image", BuildWay::Image(image)));
    }
    if let Some(path) = section.text("dockerfile")? {
        let Some(inside) = inside(&path) else {
            let fault = format!("`{path}` is not a file in the app's folder");
            let hint = "dockerfile = \"docker/Dockerfile\"".to_owned();
            return Err(section.wrong_at("dockerfile", &fault).hint(hint));
        };
        found.push(("dockerfile", BuildWay::Dockerfile(inside.to_owned())));
    }
    if let Some(builder) = section.text("builder")? {
        let way = if builder == BUILDPACKS {
            BuildWay::Buildpacks
        } else {
            BuildWay::Builder(builder.parse().map_err(|error: InvalidReference| {
                let hint = "builder = \"heroku/builder:24\" is an image; \"buildpacks\" are \
                            the server's own, whatever else is there";
                section.wrong_at("builder", &error.to_string()).hint(hint.to_owned())
            })?)
        };
        found.push(("builder", way));
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some((one, _)), Some((other, _))) => Err(both(section, other, one)),
        (Some((_, way)), None) => Ok(way),
        (None, _) => Ok(BuildWay::Found),
    }
}

/// A path in the app's folder, if it is one.
pub(super) fn inside(path: &str) -> Option<&str> {
    let path = path.trim_start_matches("./");
    let out = path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
    (!out).then_some(path)
}

fn both(section: &Section<'_>, key: &'static str, other: &str) -> ManifestError {
    let hint = format!("an image comes about in one way: leave out `{key}` or `{other}`");
    section.wrong_at(key, &format!("`{key}` stands beside `{other}`")).hint(hint)
}

/// The value of `builder` that wants buildpacks where there is a Dockerfile.
const BUILDPACKS: &str = "buildpacks";
