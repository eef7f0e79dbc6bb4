//! The pages that an app shows in place of the edge's own: read from its source tree into the
//! settings of its release, so that they go back with it.
//!
//! Together with the environment of the manifest they are small enough for one record.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use super::{error::BuildError, folder::Folder};
use crate::model::{Manifest, release::MAX_CONFIG_BYTES};

/// Reads the pages that the manifest names. Links are refused: they could lead out of the tree.
pub(super) fn read(folder: &Folder, manifest: &mut Manifest) -> Result<(), BuildError> {
    let env = &manifest.env;
    let mut bytes: usize = env.iter().map(|(key, value)| key.as_str().len() + value.len()).sum();
    let mut pages = BTreeMap::new();
    for (status, path) in &manifest.pages {
        let failed = |source| BuildError::Page { path: path.clone(), source };
        let page = page(folder, Path::new(path)).map_err(failed)?;
        bytes += page.len();
        if bytes > MAX_CONFIG_BYTES {
            return Err(BuildError::Pages { limit: MAX_CONFIG_BYTES });
        }
        pages.insert(*status, page);
    }
    manifest.http.pages = pages;
    Ok(())
}

fn page(folder: &Folder, path: &Path) -> io::Result<String> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let (file, _) = match parent {
        Some(parent) => folder.below(parent)?.file(name)?,
        None => folder.file(name)?,
    };
    let mut text = String::new();
    file.take(MAX_CONFIG_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
