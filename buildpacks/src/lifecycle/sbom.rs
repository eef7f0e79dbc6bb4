//! Bills of materials: from where buildpacks write them to `/layers/sbom`, and back for the layers
//! that the next build restores.
//!
//! Invariant: `/layers/sbom` is replaced as a whole when a build succeeds; one that fails leaves
//! the bills of the last successful one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalog::Installed;
use super::layers::remove;
use crate::agent::{Layer, PreviousLayer};
use crate::environment::sorted_entries;
use launcher::Roots;

/// The formats: extension, media type.
const FORMATS: [(&str, &str); 3] = [
    ("cdx.json", "application/vnd.cyclonedx+json"),
    ("spdx.json", "application/spdx+json"),
    ("syft.json", "application/vnd.syft+json"),
];

/// Why a bill of materials was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum SbomError {
    #[error("{file} is of a format that it does not declare: sbom-formats = [\"{media}\"]")]
    Undeclared { file: String, media: &'static str },
    #[error("cannot move {path}")]
    Io { path: PathBuf, source: io::Error },
}

/// Where the bills of a build are gathered, beside those of the last one.
const FRESH: &str = "sbom.new";
/// Where they stand.
pub(super) const PUBLISHED: &str = "sbom";

/// Puts the bills of this build into the place of the last build's.
pub(super) fn publish(roots: &Roots) -> io::Result<()> {
    let (fresh, published) = (roots.layers.join(FRESH), roots.layers.join(PUBLISHED));
    remove(&published)?;
    if fresh.symlink_metadata().is_ok() {
        fs::rename(fresh, published)?;
    }
    Ok(())
}

/// Gives a restored layer's bills back to its buildpack.
pub(super) fn restore(
    roots: &Roots,
    folder: &str,
    name: &str,
    layer: &PreviousLayer,
) -> io::Result<()> {
    let place = if layer.launch { "launch" } else { "cache" };
    let from = roots.layers.join(PUBLISHED).join(place).join(folder).join(name);
    for (extension, _) in FORMATS {
        let file = from.join(format!("sbom.{extension}"));
        if file.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            fs::copy(file, roots.layers.join(folder).join(format!("{name}.sbom.{extension}")))?;
        }
    }
    Ok(())
}

/// Gathers the bills of one buildpack.
pub(super) fn collect(
    roots: &Roots,
    installed: &Installed,
    layers: &[Layer],
) -> Result<(), SbomError> {
    let dir = roots.layers.join(installed.id().escaped());
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| SbomError::Io { path, source }
    };
    for path in sorted_entries(&dir).map_err(at(&dir))? {
        let Some((subject, extension, media)) = split(&path) else { continue };
        let declared = &installed.descriptor.buildpack.sbom_formats;
        let bare = |text: &String| text.split(';').next().is_some_and(|it| it.trim() == media);
        if !declared.iter().any(bare) {
            return Err(SbomError::Undeclared {
                file: format!("{subject}.sbom.{extension}"),
                media,
            });
        }
        for place in places(subject, layers) {
            let mut target = roots.layers.join(FRESH).join(place).join(installed.id().escaped());
            if !matches!(subject, "launch" | "build") {
                target.push(subject);
            }
            fs::create_dir_all(&target).map_err(at(&target))?;
            fs::copy(&path, target.join(format!("sbom.{extension}"))).map_err(at(&path))?;
        }
    }
    Ok(())
}

/// `<subject>.sbom.<extension>`, regular files only: a link could lead out of the container's
/// layers, and its target would end up in the image.
fn split(path: &Path) -> Option<(&str, &'static str, &'static str)> {
    let (subject, extension) = path.file_name()?.to_str()?.split_once(".sbom.")?;
    let (extension, media) = FORMATS.into_iter().find(|(known, _)| *known == extension)?;
    let regular = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
    regular.then_some((subject, extension, media))
}

fn places<'a>(subject: &str, layers: &'a [Layer]) -> Vec<&'a str> {
    match subject {
        "launch" => vec!["launch"],
        "build" => vec!["build"],
        _ => {
            let Some(layer) = layers.iter().find(|layer| layer.name == subject) else {
                return Vec::new();
            };
            let wanted = [("launch", layer.launch), ("build", layer.build), ("cache", layer.cache)];
            wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(place, _)| place).collect()
        }
    }
}
