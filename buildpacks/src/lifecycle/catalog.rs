//! The buildpacks that can take part, and the order in which they are tried.
//!
//! They stand below `/cnb/buildpacks` (the builder's), below `/buildpacks` (what was brought for
//! this app) and in the app's own folder (what `project.toml` names). Invariant: a buildpack that
//! cannot be used fails the build only if the order comes to it; a builder may hold many that are
//! too old or broken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::project;
use crate::agent::{Chosen, Code, Failed, Phase};
use crate::environment::sorted_entries;
use crate::roots::Roots;
use crate::spec::{
    BuildpackId, Descriptor, Element, Group, Order, Project, System, newer, read_toml,
    read_toml_or_default,
};

/// The buildpacks by id and version, and how they are put together.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    installed: BTreeMap<BuildpackId, BTreeMap<String, Installed>>,
    /// Folders whose `buildpack.toml` cannot be read, and why.
    broken: Vec<(PathBuf, String)>,
    pub(super) order: Order,
    /// What stands before every group that does not have it.
    pub(super) pre: Vec<Element>,
    /// What stands after every group that does not have it.
    pub(super) post: Vec<Element>,
    pub(super) author: Author,
    /// `/cnb/build-config/env`.
    pub(super) build_config: PathBuf,
}

/// Who made the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Author {
    /// The builder, for all apps.
    #[default]
    Builder,
    /// Somebody, for this app.
    User,
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
    /// Reads every `buildpack.toml`, and the order: what was chosen for the app, else what its
    /// `project.toml` says, else the builder's.
    pub(super) fn open(
        roots: &Roots,
        chosen: &[Chosen],
        project: &Project,
    ) -> Result<Self, Failed> {
        let broken = |error: &dyn std::fmt::Display| {
            Failed::new(Code::Detect, Phase::Detect, format!("the builder is broken: {error}"))
        };
        let order = read_toml_or_default(&roots.cnb.join("order.toml"));
        let system: System =
            read_toml_or_default(&roots.cnb.join("system.toml")).map_err(|error| broken(&error))?;
        let mut catalog = Self {
            order: order.map_err(|error| broken(&error))?,
            pre: system.system.pre.buildpacks,
            post: system.system.post.buildpacks,
            build_config: roots.cnb.join("build-config/env"),
            ..Self::default()
        };
        for place in [roots.cnb.join("buildpacks"), roots.buildpacks.clone()] {
            catalog.scan(&place).map_err(|error| broken(&error))?;
        }
        let mut named = |packs| project::elements(roots, &mut catalog, packs);
        let (pre, post) = (named(&project.pre)?, named(&project.post)?);
        catalog.pre.extend(pre);
        catalog.post.extend(post);
        let mut group = if chosen.is_empty() {
            project::elements(roots, &mut catalog, &project.group)?
        } else {
            chosen.iter().map(|it| catalog.element(roots, it)).collect::<Result<_, _>>()?
        };
        if !group.is_empty() {
            group.extend(catalog.procfile(roots, &group));
            catalog.replace_order(group);
        }
        Ok(catalog)
    }

    /// An app's Procfile counts whichever buildpacks were chosen for it, as the hints say that send
    /// people there.
    fn procfile(&self, roots: &Roots, group: &[Element]) -> Option<Element> {
        let id = BuildpackId::parse(PROCFILE).ok()?;
        let named = group.iter().any(|own| own.id.as_str().ends_with("/procfile"));
        let stands = roots.workspace.join("Procfile").is_file();
        let optional = Element { optional: true, ..Element::new(id, None) };
        (stands && !named && self.find(&optional).is_ok()).then_some(optional)
    }

    fn scan(&mut self, place: &Path) -> std::io::Result<()> {
        for family in sorted_entries(place)? {
            for dir in sorted_entries(&family)? {
                if dir.join("buildpack.toml").is_file()
                    && let Err(reason) = self.add(&dir)
                {
                    self.broken.push((dir, reason));
                }
            }
        }
        Ok(())
    }

    /// Takes the buildpack in `dir` in, and says what it is; the error is a sentence.
    pub(super) fn add(&mut self, dir: &Path) -> Result<Element, String> {
        let text = |error: crate::spec::ReadError| error.to_string();
        let descriptor: Descriptor = read_toml(&dir.join("buildpack.toml")).map_err(text)?;
        let own = &descriptor.buildpack;
        let (id, version) = (own.id.clone(), own.version.clone());
        let installed = Installed { dir: dir.to_owned(), descriptor };
        self.installed.entry(id.clone()).or_default().insert(version.clone(), installed);
        Ok(Element::new(id, Some(version)))
    }

    /// The place in a group of a buildpack that somebody chose.
    fn element(&mut self, roots: &Roots, chosen: &Chosen) -> Result<Element, Failed> {
        let wrong = |reason: String| Failed::new(Code::Detect, Phase::Detect, reason);
        match chosen {
            Chosen::Named { id, version } => {
                let id = BuildpackId::parse(id).map_err(|error| wrong(error.to_string()))?;
                Ok(Element::new(id, version.clone()))
            }
            Chosen::Folder(name) => {
                let dir = roots.buildpacks.join(name);
                self.add(&dir).map_err(|reason| {
                    // The folder is ours; who chose the buildpack knows it by another name.
                    let reason = reason.replace(&format!("{}/", dir.display()), "");
                    wrong(format!("a buildpack that was chosen is broken: {reason}")).hint(
                        "buildpack.toml begins with `api = \"0.10\"`, then [buildpack] with `id` and `version`",
                    )
                })
            }
        }
    }

    fn replace_order(&mut self, group: Vec<Element>) {
        self.order = Order { order: vec![Group { group }] };
        self.author = Author::User;
    }

    /// The buildpack that an element of an order means: the version that it names, or the newest.
    pub(super) fn find(&self, element: &Element) -> Result<&Installed, Failed> {
        let versions = self.installed.get(&element.id);
        let found = match (element.version.as_deref(), versions) {
            (None | Some("latest"), Some(versions)) => {
                let newest = versions.iter().max_by(|(one, _), (other, _)| newer(one, other));
                newest.map(|(_, installed)| installed)
            }
            (Some(version), Some(versions)) => versions.get(version),
            (_, None) => None,
        };
        let installed = found.ok_or_else(|| self.missing(element))?;
        let api = installed.descriptor.api;
        if api.is_supported() {
            return Ok(installed);
        }
        let reason = format!(
            "the buildpack {} speaks Buildpack API {api}, and this lifecycle 0.7 to 0.12",
            installed.key()
        );
        Err(Failed::new(Code::BuildpackApi, Phase::Detect, reason)
            .hint("use a newer version of the buildpack"))
    }

    fn missing(&self, element: &Element) -> Failed {
        let id = &element.id;
        let family = id.escaped();
        let broken = self.broken.iter().find(|(dir, _)| {
            dir.parent().and_then(Path::file_name).is_some_and(|name| name == family.as_str())
        });
        let reason = if let Some((_, reason)) = broken {
            format!("the buildpack {id} is broken: {reason}")
        } else {
            let version = element.version.as_deref().unwrap_or("any version");
            format!("the order names the buildpack {id} ({version}), which is not installed")
        };
        let known = self.installed.iter().flat_map(|(id, versions)| {
            versions.keys().map(move |version| format!("{id}@{version}"))
        });
        let known = known.take(MOST_NAMED).collect::<Vec<_>>().join(", ");
        Failed::new(Code::Detect, Phase::Detect, reason).hint(format!("there are: {known}"))
    }
}

/// Ours that reads the Procfile.
const PROCFILE: &str = "paas/procfile";
/// Names in one hint; more help nobody.
const MOST_NAMED: usize = 20;
