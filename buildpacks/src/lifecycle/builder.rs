//! What a builder's own files say: the order, what goes with every group, what apps run on.
//!
//! The builder is ours, or an image of somebody else's; then our tree stands elsewhere in the
//! container, and what we promise of every app (a `Procfile`, an `Aptfile`) is added to theirs.

use std::path::{Path, PathBuf};

use super::catalog::failed;
use crate::agent::Failed;
use crate::spec::{
    Around, BuildpackId, Element, Group, Order, ReadError, RunToml, StackToml, System, read_toml,
    read_toml_or_default,
};
use launcher::Roots;

/// The files, read.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) order: Order,
    /// What goes with every group.
    pub(super) around: Around,
    /// The images to run on, of which the first that can be had counts.
    pub(super) run_images: Vec<String>,
    /// The folders with buildpacks and extensions.
    pub(super) places: Vec<PathBuf>,
}

impl Builder {
    /// Of the build container.
    pub(super) fn read(roots: &Roots) -> Result<Self, Failed> {
        let broken = |error: ReadError| failed(format!("the builder is broken: {error}"));
        let places = |cnb: &Path| ["buildpacks", "extensions"].map(|place| cnb.join(place));
        let order = roots.cnb.join("order.toml");
        let system = |cnb: &Path| read_toml_or_default::<System>(&cnb.join("system.toml"));
        let around = system(&roots.cnb).map_err(broken)?.system;
        let mut own = Self {
            order: Order::default(),
            around,
            run_images: Vec::new(),
            places: places(&roots.cnb).into(),
        };
        let Some(ours) = &roots.ours else {
            own.order = read_toml_or_default(&order).map_err(broken)?;
            return Ok(own);
        };
        if !order.is_file() {
            return Err(failed("the image is not a builder: it has no /cnb/order.toml".to_owned())
                .hint("name an image that `pack builder create` made; one that is the app itself goes with `paas deploy --image`"));
        }
        own.order = read_toml(&order).map_err(broken)?;
        own.run_images = run_images(&roots.cnb).map_err(broken)?;
        own.places.extend(places(ours));
        let of_ours: Order = read_toml_or_default(&ours.join("order.toml")).map_err(broken)?;
        let added: Vec<Element> = of_ours.extensions.into_iter().flat_map(|it| it.group).collect();
        own.add_extensions(&added);
        let beside = |element| Element { beside: true, ..element };
        let post = system(ours).map_err(broken)?.system.post.buildpacks.into_iter().map(beside);
        own.around.post.buildpacks.extend(post);
        Ok(own)
    }

    /// Puts extensions behind those of every group of the builder.
    pub(super) fn add_extensions(&mut self, added: &[Element]) {
        if added.is_empty() {
            return;
        }
        if self.order.extensions.is_empty() {
            self.order.extensions.push(Group::default());
        }
        for group in &mut self.order.extensions {
            group.group.extend(added.iter().cloned());
        }
    }
}

fn run_images(cnb: &Path) -> Result<Vec<String>, ReadError> {
    let names = read_toml_or_default::<RunToml>(&cnb.join("run.toml"))?.names();
    if !names.is_empty() {
        return Ok(names);
    }
    Ok(read_toml_or_default::<StackToml>(&cnb.join("stack.toml"))?.names())
}

/// Our buildpack for an app's Procfile, if the app has one: it counts whichever buildpacks were
/// chosen, as the hints say that send people there.
pub(super) fn procfile(roots: &Roots) -> Option<Element> {
    let id = BuildpackId::parse(PROCFILE).ok()?;
    let stands = roots.workspace.join("Procfile").is_file();
    stands.then(|| Element { optional: true, beside: true, ..Element::new(id, None) })
}

/// Whether a buildpack is there for the Procfile.
pub(super) fn reads_procfile(element: &Element) -> bool {
    element.id.as_str().ends_with("/procfile")
}

const PROCFILE: &str = "paas/procfile";
