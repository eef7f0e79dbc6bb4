//! Image extensions: `extension.toml`, and `extend-config.toml`, which `bin/generate` may write.
//!
//! An extension has the same identity as a buildpack, under another name; so it becomes the same
//! [`Descriptor`].

use std::collections::BTreeMap;

use serde::Deserialize;

use super::descriptor::{Identity, PackTarget};
use super::{Api, Descriptor};

/// An `extension.toml`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ExtensionDescriptor {
    api: Api,
    extension: Identity,
    #[serde(default)]
    targets: Vec<PackTarget>,
}

impl From<ExtensionDescriptor> for Descriptor {
    fn from(own: ExtensionDescriptor) -> Self {
        let ExtensionDescriptor { api, extension, targets } = own;
        Self { api, buildpack: extension, order: Vec::new(), targets, stacks: Vec::new() }
    }
}

/// An `extend-config.toml`: values for the `ARG`s of the Dockerfiles.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ExtendConfig {
    #[serde(default)]
    pub(crate) run: Side,
    #[serde(default)]
    pub(crate) build: Side,
}

/// The part of one Dockerfile.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Side {
    #[serde(default)]
    args: Vec<Arg>,
}

#[derive(Debug, Clone, Deserialize)]
struct Arg {
    name: String,
    value: String,
}

impl Side {
    /// The values by name; the last of one name counts.
    pub(crate) fn into_args(self) -> BTreeMap<String, String> {
        self.args.into_iter().map(|arg| (arg.name, arg.value)).collect()
    }
}
