//! Restores the last build's layers where they stand: forbidden contents go, metadata comes back.
//!
//! Nothing is copied: `/layers` outlives the container. Invariant: after this, a buildpack's folder
//! holds nothing that the table of layer types forbids, and every restored `<layer>.toml` has metadata
//! only, so that a buildpack must ask for a layer anew in each build.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::catalog::Installed;
use super::layers::remove;
use super::{Build, aside, notes, sbom};
use crate::agent::{PreviousBuildpack, PreviousLayer};
use crate::environment::sorted_entries;
use crate::spec::LayerToml;
use launcher::Roots;

/// What of a layer of the last build comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restored {
    Everything,
    Metadata,
    Nothing,
}

/// The table "Layer Types" of the specification.
fn restored(layer: &PreviousLayer, exists: bool) -> Restored {
    match (layer.cache, layer.build, layer.launch) {
        (true, _, _) if exists => Restored::Everything,
        (true, _, _) | (false, true, _) | (false, false, false) => Restored::Nothing,
        (false, false, true) => Restored::Metadata,
    }
}

/// Prepares `/layers` for the group.
pub(super) fn restore(build: &Build<'_>, group: &[Installed]) -> io::Result<()> {
    let layers = &build.roots.layers;
    fs::create_dir_all(layers)?;
    let folders: BTreeSet<String> = group.iter().map(|it| it.id().escaped()).collect();
    for path in sorted_entries(layers)? {
        let kept =
            path.file_name().and_then(|it| it.to_str()).is_some_and(|it| folders.contains(it));
        // A buildpack that left the group takes its cache with it; the configuration is rewritten.
        let ours = path.file_name().is_some_and(|it| it == sbom::PUBLISHED || it == aside::ASIDE);
        if !kept && !ours {
            remove(&path)?;
        }
    }
    aside::leave(build.roots, |folder| folders.contains(folder))?;
    let previous = build.job.previous.iter().flat_map(|it| &it.buildpacks);
    for installed in group {
        let last = previous.clone().find(|it| it.id == installed.id().as_str());
        restore_one(build.roots, &installed.id().escaped(), last)?;
    }
    Ok(())
}

fn restore_one(roots: &Roots, folder: &str, last: Option<&PreviousBuildpack>) -> io::Result<()> {
    let dir = &roots.layers.join(folder);
    if !dir.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        remove(dir)?;
    }
    fs::create_dir_all(dir)?;
    let layer = |name: &str| last?.layers.get(name);
    let of_image = |name: &str| layer(name).is_some_and(|it| it.launch && !it.cache);
    aside::sift(roots, folder, of_image)?;
    for path in sorted_entries(dir)? {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        if of_image(name) {
            aside::put(roots, folder, &path)?;
        } else if !layer(name).is_some_and(|it| restored(it, true) == Restored::Everything) {
            remove(&path)?;
        }
    }
    let Some(last) = last else { return Ok(()) };
    for (name, layer) in &last.layers {
        let exists = dir.join(name).symlink_metadata().is_ok();
        if restored(layer, exists) != Restored::Nothing {
            let file = LayerToml::new(None, notes::to_toml(&layer.metadata));
            write_toml(&dir.join(format!("{name}.toml")), &file)?;
            sbom::restore(roots, folder, name, layer)?;
        }
    }
    if let Some(metadata) = &last.store {
        let file = LayerToml::new(None, notes::to_toml(metadata));
        write_toml(&dir.join("store.toml"), &file)?;
    }
    Ok(())
}

fn write_toml(path: &Path, file: &LayerToml) -> io::Result<()> {
    fs::write(path, toml::to_string(file).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(types: &str, exists: bool, expected: Restored) {
        let has = |name: &str| types.contains(name);
        let (launch, build, cache) = (has("launch"), has("build"), has("cache"));
        let layer = PreviousLayer { launch, build, cache, metadata: serde_json::Value::Null };
        assert_eq!(restored(&layer, exists), expected, "{types} {exists}");
    }

    #[test]
    fn bp_layer_types_what_is_restored() {
        check("launch build cache", true, Restored::Everything);
        check("launch cache", true, Restored::Everything);
        check("cache", true, Restored::Everything);
        check("cache", false, Restored::Nothing);
        check("launch", true, Restored::Metadata);
        check("launch", false, Restored::Metadata);
        check("launch build", true, Restored::Nothing);
        check("build", true, Restored::Nothing);
        check("", true, Restored::Nothing);
    }
}
