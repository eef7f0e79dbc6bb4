//! The contents of the last image's layers, out of a buildpack's sight but within reach.
//!
//! The specification lets a buildpack ask for a layer of the last image again without its contents
//! ever being restored. The image may need them all the same: Docker knows a layer only together
//! with those below it, and one of them may have changed. So they are moved to where no buildpack's
//! folder can be, come back when they are asked for, and go when a build has succeeded without them.
//! Invariant: a layer stands in its place or aside, never in both.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::layers::remove;
use crate::environment::sorted_entries;
use launcher::Roots;

/// Below `/layers`; no buildpack's id has this character.
pub(super) const ASIDE: &str = "=last";

/// Moves a layer out of sight.
pub(super) fn put(roots: &Roots, folder: &str, place: &Path) -> io::Result<()> {
    let Some(name) = place.file_name() else { return Ok(()) };
    let shelf = shelf(roots, folder);
    fs::create_dir_all(&shelf)?;
    let target = shelf.join(name);
    remove(&target)?;
    shift(place, &target)
}

/// Brings a layer back to where it stood, if it is still there.
pub(super) fn take_back(roots: &Roots, folder: &str, place: &Path) -> io::Result<()> {
    let Some(name) = place.file_name() else { return Ok(()) };
    let kept = shelf(roots, folder).join(name);
    if kept.symlink_metadata().is_err() || place.symlink_metadata().is_ok() {
        return Ok(());
    }
    shift(&kept, place)
}

/// Leaves only those layers of a buildpack that are `wanted`.
pub(super) fn sift(roots: &Roots, folder: &str, wanted: impl Fn(&str) -> bool) -> io::Result<()> {
    for path in sorted_entries(&shelf(roots, folder))? {
        if !path.file_name().and_then(|it| it.to_str()).is_some_and(&wanted) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes the layers of all buildpacks but these.
pub(super) fn leave(roots: &Roots, kept: impl Fn(&str) -> bool) -> io::Result<()> {
    for path in sorted_entries(&roots.layers.join(ASIDE))? {
        if !path.file_name().and_then(|it| it.to_str()).is_some_and(&kept) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes everything: the build succeeded without it.
pub(super) fn clear(roots: &Roots) -> io::Result<()> {
    remove(&roots.layers.join(ASIDE))
}

fn shelf(roots: &Roots, folder: &str) -> PathBuf {
    roots.layers.join(ASIDE).join(folder)
}

/// Renames; a folder that may not be written to cannot change its parent, so it may for a moment.
fn shift(from: &Path, to: &Path) -> io::Result<()> {
    let Err(error) = fs::rename(from, to) else { return Ok(()) };
    let meta = from.symlink_metadata()?;
    if error.kind() != io::ErrorKind::PermissionDenied || !meta.is_dir() {
        return Err(error);
    }
    let mode = meta.permissions();
    fs::set_permissions(from, fs::Permissions::from_mode(mode.mode() | 0o700))?;
    fs::rename(from, to)?;
    fs::set_permissions(to, mode)
}
