//! The Cloud Native Buildpacks contract as data: what the files of the specification hold.
//!
//! No behaviour of the lifecycle stands here, only shapes and their grammar. Invariant: unknown
//! keys are ignored everywhere, because foreign buildpacks write them. What the launcher reads, too,
//! comes from its crate.

mod descriptor;
mod dockerfile;
mod exec_env;
mod extension;
mod id;
mod launch;
mod layer;
mod order;
mod plan;
mod project;
mod run;

pub(crate) use descriptor::Descriptor;
pub use descriptor::Target;
pub(crate) use dockerfile::packages as dockerfile_packages;
pub(crate) use exec_env::{EXEC_ENV, takes_part};
pub(crate) use extension::{ExtendConfig, ExtensionDescriptor, Side};
pub(crate) use id::BuildpackId;
pub(crate) use launch::{Command, LaunchToml};
pub use launch::{Label, Slice};
pub(crate) use launcher::spec::{
    Api, Metadata, MetadataBuildpack, MetadataProcess, ReadError, read_small, read_toml,
    read_toml_or_default,
};
pub(crate) use layer::{LayerToml, Types};
pub(crate) use order::{Around, Element, Group, Kind, Order, System, newer};
pub(crate) use plan::{BuildPlan, BuildToml, Entry, PackPlan, Require, Section};
pub(crate) use project::{Inline, Pattern, Project, ProjectPack, ProjectToml};
pub(crate) use run::{RunToml, StackToml};
