//! The buildpacks that are installed below `/cnb/buildpacks`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::agent::{Code, Failed, Phase};
use crate::environment::sorted_entries;
use crate::spec::{BuildpackId, Descriptor, Element, Order, read_toml};

/// The installed buildpacks by id and version.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    installed: BTreeMap<BuildpackId, BTreeMap<String, Installed>>,
    pub(super) order: Order,
    /// `/cnb/build-config/env`.
    pub(super) build_config: PathBuf,
}

/// A buildpack and its folder.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub(super) dir: PathBuf,
    pub(super) descriptor: Descriptor,
}

impl Installed {
    /// What identifies it: `id@version`.
    pub(super) fn key(&self) -> String {
        let own = &self.descriptor.buildpack;
        format!("{}@{}", own.id, own.version)
    }

    pub(super) fn id(&self) -> &BuildpackId {
        &self.descriptor.buildpack.id
    }
}

impl Catalog {
    /// Reads every `buildpack.toml` and the order.
    pub(super) fn open(cnb: &Path) -> Result<Self, Failed> {
        let broken = |error: &dyn std::fmt::Display| {
            Failed::new(Code::Detect, Phase::Detect, format!("the builder is broken: {error}"))
        };
        let order = read_toml(&cnb.join("order.toml")).map_err(|error| broken(&error))?;
        let build_config = cnb.join("build-config/env");
        let mut catalog = Self { installed: BTreeMap::new(), order, build_config };
        for family in sorted_entries(&cnb.join("buildpacks")).map_err(|error| broken(&error))? {
            for dir in sorted_entries(&family).map_err(|error| broken(&error))? {
                let file = dir.join("buildpack.toml");
                if file.is_file() {
                    catalog.add(dir, read_toml(&file).map_err(|error| broken(&error))?)?;
                }
            }
        }
        Ok(catalog)
    }

    fn add(&mut self, dir: PathBuf, descriptor: Descriptor) -> Result<(), Failed> {
        let own = &descriptor.buildpack;
        if !descriptor.api.is_supported() {
            let reason = format!(
                "the buildpack {}@{} speaks Buildpack API {}, and this lifecycle 0.7 to 0.12",
                own.id, own.version, descriptor.api
            );
            return Err(Failed::new(Code::BuildpackApi, Phase::Detect, reason)
                .hint("use a newer version of the buildpack"));
        }
        let (id, version) = (own.id.clone(), own.version.clone());
        self.installed.entry(id).or_default().insert(version, Installed { dir, descriptor });
        Ok(())
    }

    /// The buildpack that an element of an order means: the version that it names, or the only
    /// (else the last) one installed.
    pub(super) fn find(&self, element: &Element) -> Result<&Installed, Failed> {
        let versions = self.installed.get(&element.id);
        let found = match (&element.version, versions) {
            (Some(version), Some(versions)) => versions.get(version),
            (None, Some(versions)) => versions.values().next_back(),
            (_, None) => None,
        };
        found.ok_or_else(|| {
            let version = element.version.as_deref().unwrap_or("any version");
            let reason = format!(
                "the order names the buildpack {} ({version}), which is not installed",
                element.id
            );
            Failed::new(Code::Detect, Phase::Detect, reason)
        })
    }
}
