//! Bills of materials: moved from where buildpacks write them to `/layers/sbom`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalog::Installed;
use crate::agent::Layer;
use crate::environment::sorted_entries;
use crate::roots::Roots;

/// The formats: extension, media type.
const FORMATS: [(&str, &str); 3] = [
    ("cdx.json", "application/vnd.cyclonedx+json"),
    ("spdx.json", "application/spdx+json"),
    ("syft.json", "application/vnd.syft+json"),
];

/// Why a bill of materials was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum SbomError {
    #[error("{0} is of a format that the buildpack does not declare in sbom-formats")]
    Undeclared(String),
    #[error("cannot move {path}")]
    Io { path: PathBuf, source: io::Error },
}

/// Moves the bills of one buildpack.
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
            return Err(SbomError::Undeclared(format!("{subject}.sbom.{extension}")));
        }
        for place in places(subject, layers) {
            let mut target = roots.layers.join("sbom").join(place).join(installed.id().escaped());
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
