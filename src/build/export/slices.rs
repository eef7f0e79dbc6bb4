//! Which files of the app folder go into which of its layers.
//!
//! Buildpacks cut the folder by patterns, so that files which seldom change need not be sent with
//! those that do. A file belongs to the first slice that matches it or a folder above it. Where none
//! does, folders that hold much are cut off: a changed page then does not send all pictures again.
//! Invariant: every entry is in exactly one layer; the folders above it are in that layer too.

use std::collections::{BTreeMap, BTreeSet};

use buildpacks::Slice;

use super::{
    error::ExportError,
    glob::matches,
    walk::{self, Kind},
};
use crate::build::folder::Folder;

/// The paths of a layer.
pub(super) type Paths = BTreeSet<Vec<u8>>;

/// The paths of each slice, and at last those of none.
pub(super) fn assign(root: &Folder, slices: &[Slice]) -> Result<Vec<Paths>, ExportError> {
    share(root, slices.len(), &|path| slices.iter().position(|slice| takes(slice, path)))
}

/// The paths of each folder that holds much, and at last those of none.
pub(super) fn by_weight(root: &Folder) -> Result<Vec<Paths>, ExportError> {
    let heavy = heavy(root)?;
    let innermost = |path: &[u8]| {
        let folders = ancestors(path).filter_map(|path| heavy.iter().position(|it| it == path));
        folders.last()
    };
    share(root, heavy.len(), &innermost)
}

/// The folders of at least [`HEAVY`] bytes without those in them that are so themselves, in order.
fn heavy(root: &Folder) -> Result<Vec<Vec<u8>>, ExportError> {
    let mut bytes: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    walk::walk(root, &mut |entry| {
        if entry.kind == Kind::File {
            let sum = bytes.entry(parent(entry.path).to_vec()).or_default();
            *sum = sum.saturating_add(u64::try_from(entry.stat.st_size).unwrap_or_default());
        }
        Ok(())
    })?;
    let mut heavy = Vec::new();
    // A folder stands before what is in it, so the last one has nothing open in it.
    while let Some((path, sum)) = bytes.pop_last() {
        if path.is_empty() {
            break;
        }
        if sum >= HEAVY && heavy.len() < MOST {
            heavy.push(path);
            continue;
        }
        let above = bytes.entry(parent(&path).to_vec()).or_default();
        *above = above.saturating_add(sum);
    }
    heavy.reverse();
    Ok(heavy)
}

/// The paths by the layer that `chosen` says, of `count`, and at last those of none.
fn share(
    root: &Folder,
    count: usize,
    chosen: &dyn Fn(&[u8]) -> Option<usize>,
) -> Result<Vec<Paths>, ExportError> {
    let mut layers = vec![BTreeSet::new(); count + 1];
    walk::walk(root, &mut |entry| {
        if let Some(layer) = layers.get_mut(chosen(entry.path).unwrap_or(count)) {
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

/// The folder that a path is in; the root has no name.
fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
    path.get(..end).unwrap_or_default()
}

/// The path itself and all folders above it.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    ends.chain([path.len()]).filter_map(|end| path.get(..end))
}

/// From here on sending again takes longer than looking after one layer more.
const HEAVY: u64 = 16 << 20;
/// Docker takes 125 layers in all.
const MOST: usize = 16;
