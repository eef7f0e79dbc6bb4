//! A finished build → an image in Docker.
//!
//! Layers whose files were not touched since the last build are neither read nor sent again; a
//! stat of each file tells. Everything is read through open folders, because whatever a build
//! leaves may be hostile. Invariant: equal inputs give an equal image id.
//!
//! In reading order: `plan` (which layers), `layer` (one layer and its tar), `walk`, `tarball`,
//! `slices`, `glob`, `image` (the configuration), `archive` and `load` (into Docker).

pub(in crate::build) mod archive;
mod error;
pub(in crate::build) mod glob;
mod image;
mod layer;
mod load;
mod plan;
mod slices;
pub(in crate::build) mod tarball;
pub(in crate::build) mod walk;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Mutex, PoisonError},
};

pub(crate) use archive::{Archive, Blob};
use buildpacks::agent::Built;
pub use error::{Excess, ExportError};
pub(crate) use image::CREATED;
use layer::Layer;
use layer::LayerSource;
pub(crate) use load::shared_layers;
pub(crate) use plan::Places;

use super::{
    base::BaseImage,
    folder::Folder,
    workspace::{Known, Previous, Remembered},
};
use crate::model::{AppName, ByteSize};

/// Layers that many apps share, such as runtimes and the launcher, by the digest of their stat
/// data; kept in memory, as making them anew costs little.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<HashMap<String, Known>>);

/// An image that was put together and is to be loaded.
#[derive(Debug)]
pub(crate) struct Assembled {
    archive: Archive,
    layers: Vec<Layer>,
    base: BaseImage,
    places: Places,
    /// What the layers above the base are together.
    pub(crate) size: ByteSize,
}

/// Puts the image together: plans, compares with the last build, writes the tars of what changed.
/// It blocks.
pub(crate) fn assemble(
    built: &Built,
    run: &BaseImage,
    app: &AppName,
    name: String,
    context: &Context<'_>,
) -> Result<Assembled, ExportError> {
    let planned = plan::plan(built, &context.places)?;
    let mut layers = Vec::with_capacity(planned.len());
    for plan::Planned { key, source } in planned {
        layers.push(make(key, source, context)?);
    }
    let configuration = image::configuration(app, run, built, &layers);
    let known = run.layers.iter().chain(layers.iter().map(|layer| &layer.known)).cloned();
    let size = ByteSize(layers.iter().map(|layer| layer.known.size).sum());
    let archive = Archive::new(configuration, known.collect(), name);
    Ok(Assembled { archive, layers, base: run.clone(), places: context.places.clone(), size })
}

/// What the layers are compared with and made from.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Where the files are.
    pub(crate) places: Places,
    /// The last build's layers.
    pub(crate) previous: &'a Previous,
    /// The layers of all apps.
    pub(crate) shared: &'a Shared,
}

fn make(key: String, source: LayerSource, context: &Context<'_>) -> Result<Layer, ExportError> {
    let last = context.previous.layers.get(&key);
    if matches!(source, LayerSource::Gone) {
        let known = last.and_then(|last| last.exported.clone());
        let known = known.ok_or_else(|| ExportError::Lost { layer: key.clone() })?;
        return Ok(Layer { key, source, known, manifest: None, spooled: None });
    }
    let manifest = source.manifest()?;
    if let Some(manifest) = &manifest {
        let untouched = last.filter(|last| last.manifest == *manifest);
        let known = untouched.and_then(|last| last.exported.clone());
        if let Some(known) = known.or_else(|| context.shared.find(manifest)) {
            let manifest = Some(manifest.clone());
            return Ok(Layer { key, source, known, manifest, spooled: None });
        }
    }
    let (file, known) = source.spool(&key, &context.places.spool)?;
    if let Some(manifest) = &manifest {
        context.shared.keep(manifest, &known);
    }
    Ok(Layer { key, source, known, manifest, spooled: Some(file) })
}

/// What is to be remembered of the layers of a build: those of the image, and those that are kept
/// for the next build only.
pub(crate) fn remember(
    built: &Built,
    assembled: &Assembled,
    places: &Places,
) -> BTreeMap<String, Remembered> {
    let exported = assembled.layers.iter().map(|layer| {
        let manifest = layer.manifest.clone().unwrap_or_default();
        (layer.key.clone(), Remembered { manifest, exported: Some(layer.known.clone()) })
    });
    let mut remembered: BTreeMap<_, _> = exported.collect();
    for layer in built.layers.iter().filter(|layer| layer.cache && !layer.launch) {
        let key = plan::key(layer);
        if let Some(manifest) = manifest_of(places, &key) {
            remembered.insert(key, Remembered { manifest, exported: None });
        }
    }
    remembered
}

/// The layers of the last build that something touched since, for instance a build that failed:
/// nobody knows what is in them.
pub(crate) fn touched(previous: &Previous, places: &Places) -> Vec<String> {
    let layers = previous.layers.iter().filter(|(key, _)| key.starts_with("/layers/"));
    let touched = layers.filter(|(key, last)| {
        let folder = places.layers.join(key.trim_start_matches("/layers/"));
        // A link to a toolchain cannot be changed but only replaced, and a layer that is not kept
        // has no folder: both are for the agent to judge.
        let is_folder = std::fs::symlink_metadata(&folder).is_ok_and(|it| it.is_dir());
        is_folder && manifest_of(places, key).as_ref() != Some(&last.manifest)
    });
    touched.map(|(key, _)| key.clone()).collect()
}

/// What a folder takes on the disk, in bytes; a file with several names counts once for each.
pub(crate) fn disk_usage(folder: &Path) -> Result<u64, ExportError> {
    let root = Folder::open(folder).map_err(|error| ExportError::read(b".", error))?;
    let mut blocks = 0_u64;
    walk::walk(&root, &mut |entry| {
        blocks = blocks.saturating_add(u64::try_from(entry.stat.st_blocks).unwrap_or_default());
        Ok(())
    })?;
    Ok(blocks.saturating_mul(512))
}

fn manifest_of(places: &Places, key: &str) -> Option<String> {
    let path = key.strip_prefix("/layers/")?;
    let folder = Folder::open(&places.layers).and_then(|all| all.below(path.as_ref())).ok()?;
    let at = (key.trim_start_matches('/'), places.owner);
    walk::manifest(&folder, at, None).ok()
}

impl Shared {
    fn find(&self, manifest: &str) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(manifest).cloned()
    }

    fn keep(&self, manifest: &str, known: &Known) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Which ones go does not matter; they are made anew when they are needed.
        if all.len() >= MAX_SHARED {
            all.clear();
        }
        all.insert(manifest.to_owned(), known.clone());
    }
}

const MAX_SHARED: usize = 1000;

#[cfg(test)]
mod tests;
