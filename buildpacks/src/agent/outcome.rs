//! How a build ended: what the daemon needs to assemble an image, or why there is none.
//!
//! Invariant: with this and the folders behind `/layers` and `/workspace` the daemon needs to
//! read no TOML that hostile code wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Phase, PreviousBuild, PreviousBuildpack, PreviousLayer};
use crate::packages::{Package, PackageSets};
use crate::spec::{Label, Slice};

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The layers are ready to be exported.
    Built(Built),
    /// The job goes on in a build image that has these packages beyond the base; it is to be
    /// asked again there, with the detection.
    Wants(Wants),
    /// There is nothing to export.
    Failed(Failed),
}

/// Another build image is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wants {
    /// What it must have for the build, and no other packages; none means the base image. What
    /// the image to run on must have comes along, so that both can be made at once.
    pub packages: PackageSets,
    /// See [`Built::run_images`].
    #[serde(default)]
    pub run_images: Vec<String>,
    /// What was settled, so that no detection runs twice.
    pub detection: Detection,
}

/// What a detection settled, from one agent to the next. The daemon only carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection(pub(crate) Value);

/// A successful build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Built {
    /// The buildpacks that took part, in order.
    pub group: Vec<BuildpackRef>,
    /// The image extensions that took part, in order.
    #[serde(default)]
    pub extensions: Vec<BuildpackRef>,
    /// The packages that the image to run on must have beyond the base.
    #[serde(default)]
    pub packages: BTreeSet<Package>,
    /// The images to run on that a builder of somebody else's names, the first choice first.
    #[serde(default)]
    pub run_images: Vec<String>,
    /// The processes of the image, sorted by type.
    pub processes: Vec<Process>,
    /// All layers that a buildpack wants for anything, by buildpack in group order, then by name.
    pub layers: Vec<Layer>,
    /// Labels of the image; a key occurs once.
    pub labels: Vec<Label>,
    /// Slices of the app folder, in the order in which they consume files.
    pub slices: Vec<Slice>,
    /// The contents of `/layers/config/metadata.toml`, for the image's config layer.
    pub metadata_toml: String,
    /// The metadata of each buildpack's `store.toml`.
    pub store: BTreeMap<String, Value>,
}

impl Built {
    /// The process that runs when none is named.
    pub fn default_process(&self) -> Option<&Process> {
        self.processes.iter().find(|process| process.default)
    }

    /// What the next build of the app may restore.
    pub fn remembered(&self) -> PreviousBuild {
        let buildpacks = self.group.iter().map(|own| PreviousBuildpack {
            id: own.id.clone(),
            layers: self.layers_of(&own.id).map(|it| (it.name.clone(), it.remembered())).collect(),
            store: self.store.get(&own.id).cloned(),
        });
        PreviousBuild { buildpacks: buildpacks.collect() }
    }

    fn layers_of(&self, id: &str) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(move |layer| layer.buildpack == id)
    }
}

/// A buildpack of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildpackRef {
    /// Such as `paas/nodejs`.
    pub id: String,
    /// Opaque.
    pub version: String,
    /// The Buildpack API, such as `0.10`.
    pub api: String,
    /// Where to read about it.
    #[serde(default)]
    pub homepage: Option<String>,
}

/// A process of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Such as `web`; the launcher answers at `/cnb/process/<type>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The program and the arguments that a user cannot replace.
    pub command: Vec<String>,
    /// The arguments that a user may replace.
    pub args: Vec<String>,
    /// No shell stands between launcher and program.
    pub direct: bool,
    /// The process that runs when none is named; true for at most one.
    pub default: bool,
    /// Where it runs, if not in the app folder.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// The buildpack that defined it.
    pub buildpack: String,
}

/// A layer that a buildpack left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The buildpack's id; its folder has `/` replaced by `_`.
    pub buildpack: String,
    /// The layer's name, one path component.
    pub name: String,
    /// Part of the image.
    pub launch: bool,
    /// Seen by later buildpacks.
    pub build: bool,
    /// Kept for the next build.
    pub cache: bool,
    /// The buildpack's notes.
    pub metadata: Value,
    /// What stands at the layer's path.
    pub contents: Contents,
}

impl Layer {
    /// The folder below `/layers`, such as `paas_nodejs/modules`.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.buildpack.replace('/', "_")).join(&self.name)
    }

    fn remembered(&self) -> PreviousLayer {
        let metadata = self.metadata.clone();
        PreviousLayer { launch: self.launch, build: self.build, cache: self.cache, metadata }
    }
}

/// What stands at a layer's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// A folder with the layer's files.
    Folder,
    /// A link to a toolchain: its one-component name below `/toolchains`, such as
    /// `node-20.20.2`. The exporter puts the toolchain's files at the layer's path.
    Toolchain(String),
    /// Nothing: the layer of the previous image is to be used again.
    Reused,
}

/// A build that ended without an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What kind of failure, by the specification's exit codes.
    pub code: Code,
    /// Where it happened.
    pub phase: Phase,
    /// What failed, because of what; may have several lines.
    pub reason: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
}

/// The kinds of failure, in the order of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A buildpack speaks a Buildpack API that we do not.
    BuildpackApi,
    /// No buildpack recognised the app.
    NothingDetected,
    /// No group passed, and at least one buildpack failed with an error.
    DetectErrors,
    /// Detection could not be run.
    Detect,
    /// The last build's layers could not be prepared.
    Restore,
    /// An image extension failed.
    ExtensionGenerate,
    /// What an image extension asks for is not possible here.
    Generate,
    /// A buildpack said no while it built.
    BuildpackBuild,
    /// A buildpack broke the contract.
    Build,
}

impl Code {
    /// The exit code of the Platform API.
    pub fn number(self) -> u8 {
        match self {
            Self::BuildpackApi => 12,
            Self::NothingDetected => 20,
            Self::DetectErrors => 21,
            Self::Detect => 22,
            Self::Restore => 42,
            Self::ExtensionGenerate => 91,
            Self::Generate => 92,
            Self::BuildpackBuild => 51,
            Self::Build => 52,
        }
    }
}

impl Failed {
    /// A failure without a hint.
    pub fn new(code: Code, phase: Phase, reason: impl Into<String>) -> Self {
        Self { code, phase, reason: reason.into(), hint: None }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failed {}
