//! From what the agent says it built to the list of layers, in the order of the image.
//!
//! What changes seldom comes first: the launcher, the buildpacks' layers in order, the
//! configuration, the process types, and the app last; an edit of the source then changes the last
//! layer only. Invariant: what the agent says is a claim by code that shares a container with the
//! app's; every name of it is checked before it becomes a path.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use buildpacks::agent::{Built, Contents, Layer};

use super::{
    error::ExportError,
    layer::LayerSource,
    slices,
    tarball::{Attributes, Tarball},
};
use crate::build::{
    folder::{Folder, Owner},
    processes::{LAUNCHER, PROCESSES},
    unpack::path::WHITEOUT,
};

/// The folders of this machine that an image is made of.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The app's folder.
    pub(crate) workspace: PathBuf,
    /// What buildpacks left.
    pub(crate) layers: PathBuf,
    /// The shelf of toolchains.
    pub(crate) toolchains: PathBuf,
    /// The file that becomes the launcher.
    pub(crate) launcher: PathBuf,
    /// Where tars may be written for a moment.
    pub(crate) spool: PathBuf,
    /// Whose files are in the image.
    pub(crate) owner: Owner,
}

/// A layer of the image to be, and by what it is remembered.
#[derive(Debug)]
pub(super) struct Planned {
    /// Its path in the image.
    pub(super) key: String,
    /// Where its files come from.
    pub(super) source: LayerSource,
}

/// The layers above the run image, lowest first.
pub(super) fn plan(built: &Built, places: &Places) -> Result<Vec<Planned>, ExportError> {
    check(built)?;
    let launcher = LayerSource::Launcher { binary: places.launcher.clone() };
    let mut planned = vec![Planned { key: LAUNCHER.to_owned(), source: launcher }];
    for layer in built.layers.iter().filter(|layer| layer.launch) {
        planned.push(Planned { key: key(layer), source: source(layer, places)? });
    }
    planned.push(config(built, places.owner)?);
    planned.push(process_types(built)?);
    planned.extend(bills(places));
    planned.extend(app(built, places)?);
    Ok(planned)
}

/// A layer's path in the image.
pub(crate) fn key(layer: &Layer) -> String {
    format!("/layers/{}", layer.path().display())
}

/// The folder of this machine behind a layer, reached without passing a link.
fn source(layer: &Layer, places: &Places) -> Result<LayerSource, ExportError> {
    let (at, owner) = (key(layer).trim_start_matches('/').to_owned(), places.owner);
    match &layer.contents {
        Contents::Folder => {
            let path = layer.path();
            let missing = |error| ExportError::read(at.as_bytes(), error);
            Folder::open(&places.layers).and_then(|all| all.below(&path)).map_err(missing)?;
            Ok(LayerSource::Tree { root: places.layers.join(path), at, owner, only: None })
        }
        Contents::Toolchain(name) => {
            if !is_plain(name) {
                return Err(ExportError::claim("a toolchain", name));
            }
            let missing = |_| ExportError::claim("a toolchain", name);
            Folder::open(&places.toolchains)
                .and_then(|all| all.folder(name.as_ref()))
                .map_err(missing)?;
            Ok(LayerSource::Tree { root: places.toolchains.join(name), at, owner, only: None })
        }
        Contents::Reused => Ok(LayerSource::Gone),
    }
}

/// `/layers/config/metadata.toml`, which the launcher reads.
fn config(built: &Built, owner: Owner) -> Result<Planned, ExportError> {
    let folder = Attributes { owner, mode: 0o755 };
    let file = Attributes { owner, mode: 0o644 };
    let text = built.metadata_toml.as_bytes();
    let mut tarball = Tarball::new(Vec::new());
    let tar = tarball
        .folder(b"layers", Attributes::ROOT)
        .and_then(|()| tarball.folder(b"layers/config", folder))
        .and_then(|()| tarball.file(b"layers/config/metadata.toml", file, text.len() as u64, text))
        .and_then(|()| tarball.finish())
        .map_err(ExportError::write)?;
    Ok(Planned { key: "/layers/config".to_owned(), source: LayerSource::Ready(tar) })
}

/// The bills of materials of what the image holds, if any buildpack wrote one.
fn bills(places: &Places) -> Option<Planned> {
    let path = BILLS.trim_start_matches("/layers/");
    Folder::open(&places.layers).and_then(|all| all.below(path.as_ref())).ok()?;
    let (at, owner) = (BILLS.trim_start_matches('/').to_owned(), places.owner);
    let source = LayerSource::Tree { root: places.layers.join(path), at, owner, only: None };
    Some(Planned { key: BILLS.to_owned(), source })
}

/// `/cnb/process/<type>`, each of them a link to the launcher.
fn process_types(built: &Built) -> Result<Planned, ExportError> {
    let root = PROCESSES.trim_start_matches('/');
    let mut tarball = Tarball::new(Vec::new());
    let mut write = || {
        tarball.folder(b"cnb", Attributes::ROOT)?;
        tarball.folder(root.as_bytes(), Attributes::ROOT)?;
        for process in &built.processes {
            let path = format!("{root}/{}", process.kind);
            tarball.link(path.as_bytes(), LAUNCHER.as_bytes(), Owner::ROOT)?;
        }
        Ok(())
    };
    write()
        .and_then(|()| tarball.finish())
        .map_err(ExportError::write)
        .map(|tar| Planned { key: PROCESSES.to_owned(), source: LayerSource::Ready(tar) })
}

/// The app's folder, whole or in slices.
fn app(built: &Built, places: &Places) -> Result<Vec<Planned>, ExportError> {
    let Places { workspace, owner, .. } = places;
    let tree = |only| {
        let (root, at) = (workspace.clone(), "workspace".to_owned());
        LayerSource::Tree { root, at, owner: *owner, only }
    };
    let root = Folder::open(workspace).map_err(|e| ExportError::read(b"workspace", e))?;
    let layers = if built.slices.is_empty() {
        slices::by_weight(&root)?
    } else {
        slices::assign(&root, &built.slices)?
    };
    if let [_] = layers.as_slice() {
        return Ok(vec![Planned { key: APP.to_owned(), source: tree(None) }]);
    }
    let planned = layers.into_iter().enumerate().map(|(index, paths)| Planned {
        key: format!("{APP}#{}", index + 1),
        source: tree(Some(Arc::new(paths))),
    });
    Ok(planned.collect())
}

/// Refuses names that would be paths elsewhere, and layers that would overlap.
fn check(built: &Built) -> Result<(), ExportError> {
    let mut seen = BTreeSet::new();
    for layer in &built.layers {
        let folder = layer.buildpack.replace('/', "_");
        let reserved = ["config", "sbom", "generated", "app"].contains(&folder.as_str());
        if !is_plain(&folder) || reserved {
            return Err(ExportError::claim("a buildpack", &layer.buildpack));
        }
        if !is_plain(&layer.name) || !seen.insert((folder, &layer.name)) {
            return Err(ExportError::claim("a layer", &layer.name));
        }
    }
    for process in &built.processes {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !is_plain(&process.kind) || !process.kind.bytes().all(plain) {
            return Err(ExportError::claim("a process", &process.kind));
        }
    }
    if built.slices.len() > MAX_SLICES {
        return Err(ExportError::claim("slices", "too many"));
    }
    Ok(())
}

/// One component of a path, which names nothing but an entry of its folder.
pub(crate) fn is_plain(name: &str) -> bool {
    let length = (1..=200).contains(&name.len());
    let dots = name == "." || name == "..";
    length && !dots && !name.contains(['/', '\0']) && !name.as_bytes().starts_with(WHITEOUT)
}

/// Where the bills of materials are in an image.
pub(super) const BILLS: &str = "/layers/sbom/launch";
/// How the app's own layer is remembered.
const APP: &str = "/workspace";
/// Docker takes 125 layers in all.
const MAX_SLICES: usize = 20;
