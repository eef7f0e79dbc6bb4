//! The buildpacks that can take part, and the order in which they are tried.
//!
//! They stand below `/cnb/buildpacks` and `/cnb/extensions` (the builder's, and beside a foreign one's
//! ours), below `/buildpacks` (what was brought for this app) and in the app's own folder (what `project.toml` names). Invariant: a buildpack that
//! cannot be used fails the build only if the order comes to it; a builder may hold many that are
//! too old or broken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::builder::{Builder, procfile};
use super::project;
use crate::agent::{BuildpackRef, Chosen, Code, Failed, Phase};
use crate::environment::sorted_entries;
use crate::spec::{
    BuildpackId, Descriptor, Element, ExtensionDescriptor, Group, Kind, Order, Project, ReadError,
    newer, read_toml,
};
use launcher::Roots;

/// The buildpacks by id and version, and how they are put together.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    installed: BTreeMap<BuildpackId, BTreeMap<String, Installed>>,
    /// The image extensions, whose ids are their own.
    extensions: BTreeMap<BuildpackId, BTreeMap<String, Installed>>,
    /// Folders whose `buildpack.toml` cannot be read, and why.
    broken: Vec<(PathBuf, String)>,
    pub(super) order: Order,
    /// What stands before every group that does not have it.
    pub(super) pre: Vec<Element>,
    /// What stands after every group that does not have it.
    pub(super) post: Vec<Element>,
    /// Ours for the Procfile, which goes behind every group that has none for it.
    pub(super) procfile: Option<Element>,
    pub(super) author: Author,
    /// The images to run on, if the builder is not ours.
    pub(super) run_images: Vec<String>,
    /// `/cnb/build-config/env`.
    pub(super) build_config: PathBuf,
}

/// Who made the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Author {
    /// Our builder, for all apps.
    #[default]
    Ours,
    /// A builder of somebody else's, for all apps.
    Other,
    /// Somebody, for this app.
    User,
}

/// A buildpack and its folder.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub(super) dir: PathBuf,
    pub(super) descriptor: Descriptor,
    pub(super) kind: Kind,
}

impl Installed {
    /// What identifies it, and is shown to people: `id@version`.
    pub(super) fn key(&self) -> String {
        let own = &self.descriptor.buildpack;
        match self.kind {
            Kind::Buildpack => format!("{}@{}", own.id, own.version),
            Kind::Extension => format!("extension {}@{}", own.id, own.version),
        }
    }

    pub(super) fn id(&self) -> &BuildpackId {
        &self.descriptor.buildpack.id
    }

    /// As the daemon hears of it.
    pub(super) fn reference(&self) -> BuildpackRef {
        let own = &self.descriptor.buildpack;
        BuildpackRef {
            id: own.id.to_string(),
            version: own.version.clone(),
            api: self.descriptor.api.to_string(),
            homepage: own.homepage.clone(),
        }
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
        let mut builder = Builder::read(roots)?;
        let mut catalog =
            Self { build_config: roots.cnb.join("build-config/env"), ..Self::default() };
        for place in builder.places.iter().chain([&roots.buildpacks]) {
            catalog
                .scan(place)
                .map_err(|error| failed(format!("the builder is broken: {error}")))?;
        }
        let mut named = |packs| project::elements(roots, &mut catalog, packs);
        let (pre, post) = (named(&project.pre)?, named(&project.post)?);
        builder.around.pre.buildpacks.extend(pre);
        builder.around.post.buildpacks.extend(post);
        let group: Vec<Element> = if chosen.is_empty() {
            project::elements(roots, &mut catalog, &project.group)?
        } else {
            chosen.iter().map(|it| catalog.element(roots, it)).collect::<Result<_, _>>()?
        };
        let (extensions, group): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|element| element.kind == Kind::Extension);
        builder.add_extensions(&extensions);
        let by_user = !group.is_empty();
        if by_user {
            builder.order.order = vec![Group { group }];
            catalog.author = Author::User;
        } else if roots.ours.is_some() {
            catalog.author = Author::Other;
        }
        if catalog.author != Author::Ours {
            catalog.procfile = procfile(roots).filter(|it| catalog.find(it).is_ok());
        }
        let Builder { order, around, run_images, .. } = builder;
        (catalog.order, catalog.run_images) = (order, run_images);
        (catalog.pre, catalog.post) = (around.pre.buildpacks, around.post.buildpacks);
        Ok(catalog)
    }

    fn scan(&mut self, place: &Path) -> std::io::Result<()> {
        for family in sorted_entries(place)? {
            for dir in sorted_entries(&family)? {
                if ["buildpack.toml", EXTENSION].iter().any(|name| dir.join(name).is_file())
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
        let text = |error: ReadError| error.to_string();
        let extension = dir.join(EXTENSION);
        let (descriptor, kind) = if extension.is_file() {
            let own: ExtensionDescriptor = read_toml(&extension).map_err(text)?;
            (own.into(), Kind::Extension)
        } else {
            let own: Descriptor = read_toml(&dir.join("buildpack.toml")).map_err(text)?;
            (own, Kind::Buildpack)
        };
        let own = &descriptor.buildpack;
        let (id, version) = (own.id.clone(), own.version.clone());
        let installed = Installed { dir: dir.to_owned(), descriptor, kind };
        let (place, element) = match kind {
            Kind::Buildpack => {
                (&mut self.installed, Element::new(id.clone(), Some(version.clone())))
            }
            Kind::Extension => {
                let element = Element::new(id.clone(), Some(version.clone()));
                (&mut self.extensions, element.extension())
            }
        };
        place.entry(id).or_default().insert(version, installed);
        Ok(element)
    }

    /// The place in a group of a buildpack that somebody chose.
    fn element(&mut self, roots: &Roots, chosen: &Chosen) -> Result<Element, Failed> {
        match chosen {
            Chosen::Named { id, version } => {
                let id = BuildpackId::parse(id).map_err(|error| failed(error.to_string()))?;
                Ok(Element::new(id, version.clone()))
            }
            Chosen::Folder(name) => {
                let dir = roots.buildpacks.join(name);
                self.add(&dir).map_err(|reason| {
                    // The folder is ours; who chose the buildpack knows it by another name.
                    let reason = reason.replace(&format!("{}/", dir.display()), "");
                    failed(format!("a buildpack that was chosen is broken: {reason}")).hint(
                        "buildpack.toml begins with `api = \"0.10\"`, then [buildpack] with `id` and `version`",
                    )
                })
            }
        }
    }

    /// The buildpack that an element of an order means: the version that it names, or the newest.
    pub(super) fn find(&self, element: &Element) -> Result<&Installed, Failed> {
        let versions = match element.kind {
            Kind::Buildpack => self.installed.get(&element.id),
            Kind::Extension => self.extensions.get(&element.id),
        };
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
            "the {} speaks Buildpack API {api}, and this lifecycle 0.7 to 0.12",
            match element.kind {
                Kind::Buildpack => format!("buildpack {}", installed.key()),
                Kind::Extension => installed.key(),
            }
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

/// A failure of the detection itself.
pub(super) fn failed(reason: String) -> Failed {
    Failed::new(Code::Detect, Phase::Detect, reason)
}

/// What tells an extension from a buildpack.
const EXTENSION: &str = "extension.toml";
/// Names in one hint; more help nobody.
const MOST_NAMED: usize = 20;
