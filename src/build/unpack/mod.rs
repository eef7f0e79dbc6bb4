//! An upload → a fresh tree of the app's user, under limits.
//!
//! The archive comes from anybody with a token and is not believed in anything: see [`Rule`] and
//! [`UnpackLimits`]. Owners, times, extended attributes and special permission bits are dropped;
//! hard links become copies. Invariant: on any error nothing of the upload is left on the disk.
//!
//! In reading order: `receive` (from an asynchronous body), `inflow` (gzip and amounts), `members`
//! (tar), `path` (names), `tree` (writing and the digest), `donor` (what need not be sent again).

mod donor;
mod error;
mod inflow;
mod limits;
mod members;
pub(crate) mod path;
mod receive;
mod release;
mod tree;

use std::{ffi::OsStr, fs, io::Read, path::Path};

use donor::Donor;
pub(crate) use donor::{INDEX, Index};
pub use error::{Excess, Rule, UnpackError};
use inflow::Inflow;
pub use limits::UnpackLimits;
use members::{Kind, Members};
pub use receive::receive;
pub use release::unpack_release;
pub use tree::Source;
use tree::Tree;

use super::folder::Folder;

/// Unpacks a tar archive, plain or gzip, into the new folder `into`.
pub fn unpack(body: impl Read, into: &Path, limits: &UnpackLimits) -> Result<Source, UnpackError> {
    unpack_onto(body, into, None, limits)
}

/// The same for an archive that may name files of the last upload in the folder `uploads` by their
/// digests: entries of the type `R`, whose content is the sha256 in hexadecimal digits.
pub fn unpack_onto(
    body: impl Read,
    into: &Path,
    uploads: Option<&Path>,
    limits: &UnpackLimits,
) -> Result<Source, UnpackError> {
    let root = |source| UnpackError::write(b".", source);
    fs::create_dir(into).map_err(root)?;
    let unpacked = Folder::open(into)
        .map_err(root)?
        .own()
        .map_err(root)
        .and_then(|()| unpack_all(body, into, uploads, limits));
    if unpacked.is_err() {
        discard(into);
    }
    unpacked
}

fn unpack_all(
    body: impl Read,
    into: &Path,
    uploads: Option<&Path>,
    limits: &UnpackLimits,
) -> Result<Source, UnpackError> {
    let inflow = Inflow::open(body, limits).map_err(|error| UnpackError::read(error, 0))?;
    let mut members = Members::new(inflow, limits);
    let mut tree = Tree::new(into, limits).map_err(|error| UnpackError::write(b".", error))?;
    if let Some(uploads) = uploads {
        tree.may_refer_to(Donor::open(uploads));
    }
    while let Some(member) = members.next()? {
        if members.entries > limits.entries {
            return Err(Excess::Entries(limits.entries).into());
        }
        let entries = members.entries;
        tree.put(&member.path, &member.kind, &mut members, entries)?;
    }
    let entries = members.entries;
    members.into_input().finish().map_err(|error| UnpackError::read(error, entries))?;
    tree.finish()
}

/// Unpacks what is below `prefix` in the layers of an image, plain or gzip, together into the new
/// folder `into`. Names there may begin with a slash; no file may be in two of them.
pub(crate) fn unpack_layers<R: Read>(
    layers: impl IntoIterator<Item = R>,
    prefix: &[u8],
    into: &Path,
    limits: &UnpackLimits,
) -> Result<Source, UnpackError> {
    let root = |source| UnpackError::write(b".", source);
    fs::create_dir(into).map_err(root)?;
    Folder::open(into).map_err(root)?.own().map_err(root)?;
    let mut tree = Tree::new(into, limits).map_err(root)?;
    for layer in layers {
        let inflow = Inflow::open(layer, limits).map_err(|error| UnpackError::read(error, 0))?;
        let mut members = Members::new(inflow, limits);
        while let Some(mut member) = members.next()? {
            let entries = members.entries;
            if entries > limits.entries {
                return Err(Excess::Entries(limits.entries).into());
            }
            let Some(path) = below(&member.path, prefix) else { continue };
            if let Kind::HardLink { target } = &mut member.kind {
                *target = below(target, prefix).unwrap_or_default().to_vec();
            }
            tree.put(path, &member.kind, &mut members, entries)?;
        }
    }
    tree.finish()
}

/// A layer's name without `prefix`; `None` for what is elsewhere, and for the prefix itself.
fn below<'a>(name: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let name = name.strip_prefix(b"./").or_else(|| name.strip_prefix(b"/")).unwrap_or(name);
    name.strip_prefix(prefix).filter(|rest| !rest.is_empty())
}

/// Removes a folder of ours with all that is in it; what cannot be removed is logged, because the
/// caller has a more important error to tell.
pub(crate) fn discard(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let removed = Folder::open(parent).and_then(|folder| folder.remove(OsStr::new(name)));
    if let Err(error) = removed {
        tracing::warn!(path = %path.display(), %error, "cannot remove a folder");
    }
}

#[cfg(test)]
mod forge;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
