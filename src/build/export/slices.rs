//! Which files of the app folder go into which of its layers.
//!
//! Buildpacks cut the folder by patterns, so that files which seldom change need not be sent with
//! those that do. A file belongs to the first slice that matches it or a folder above it.
//! Invariant: every entry is in exactly one layer; the folders above it are in that layer too.

use std::collections::BTreeSet;

use buildpacks::Slice;

use super::{error::ExportError, glob::matches, walk};
use crate::build::folder::Folder;

/// The paths of each slice, and at last those of none.
pub(super) fn assign(
    root: &Folder,
    slices: &[Slice],
) -> Result<Vec<BTreeSet<Vec<u8>>>, ExportError> {
    let mut layers = vec![BTreeSet::new(); slices.len() + 1];
    walk::walk(root, &mut |entry| {
        let index = slices.iter().position(|slice| takes(slice, entry.path));
        if let Some(layer) = layers.get_mut(index.unwrap_or(slices.len())) {
            layer.extend(ancestors(entry.path).map(<[u8]>::to_vec));
        }
        Ok(())
    })?;
    Ok(layers)
}

fn takes(slice: &Slice, path: &[u8]) -> bool {
    slice.paths.iter().any(|pattern| {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        ancestors(path).any(|path| matches(pattern.as_bytes(), path))
    })
}

/// The path itself and all folders above it.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    ends.chain([path.len()]).filter_map(|end| path.get(..end))
}
