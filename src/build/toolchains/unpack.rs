//! Archive to folder, under limits.
//!
//! The archives were checked against a published digest, but the publisher may be an npm mirror
//! that somebody else fills; so nothing may leave the folder, be written through a link, be a
//! device, or be larger than any real toolchain. Existing files are never overwritten.

use super::layout::Layout;
use super::strip::strip;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    TarGz,
    /// A wheel, or any other zip.
    Wheel,
}

/// Why an archive was not unpacked; what was written so far is worthless.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    #[error("the archive is not a wheel")]
    Wheel(#[source] zip::result::ZipError),
    #[error("{path} cannot be written")]
    Write { path: String, source: io::Error },
    #[error("the archive has more than {MOST_ENTRIES} entries")]
    Entries,
    #[error("the archive unpacks to more than {MOST_BYTES} bytes")]
    Bytes,
    #[error("{path} would leave the folder")]
    Escapes { path: String },
    #[error("{path} would be written through a link")]
    ThroughLink { path: String },
    #[error("{path} is neither a file, a folder nor a link")]
    Kind { path: String },
}

/// Unpacks `archive` into `root` as `layout` says.
pub(crate) fn unpack(
    archive: File,
    format: Format,
    layout: &Layout,
    root: &Path,
) -> Result<(), UnpackError> {
    let mut folder = Folder {
        root: root.to_owned(),
        entries: 0,
        bytes: 0,
        dirs: BTreeSet::new(),
        links: BTreeSet::new(),
    };
    match format {
        Format::TarGz => tar_gz(archive, layout, &mut folder)?,
        Format::Wheel => wheel(archive, layout, &mut folder)?,
    }
    for (command, file) in layout.commands() {
        folder.make_executable(Path::new(&file))?;
        folder.link(&format!("bin/{command}"), &format!("../{file}"))?;
    }
    if let Some(program) = layout.has_symbols() {
        let write = |source| UnpackError::Write { path: program.to_owned(), source };
        match strip(&root.join(program)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            stripped => stripped.map_err(write)?,
        }
    }
    Ok(())
}

fn tar_gz(archive: File, layout: &Layout, folder: &mut Folder) -> Result<(), UnpackError> {
    let packed = flate2::read::GzDecoder::new(BufReader::new(archive));
    // The cap stands before the tar reader too, so that headers alone cannot fill memory.
    let mut tar = tar::Archive::new(packed.take(MOST_BYTES + MOST_BYTES / 4));
    for entry in tar.entries().map_err(UnpackError::Read)? {
        let mut entry = entry.map_err(UnpackError::Read)?;
        folder.count()?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(place) = layout.place(&path) else { continue };
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        if kind.is_symlink() {
            let target = entry.link_name_bytes().unwrap_or_default();
            folder.link(&place, &String::from_utf8_lossy(&target))?;
        } else if kind.is_file() || kind.is_contiguous() {
            let mode = entry.header().mode().unwrap_or(0o644);
            folder.write(&place, mode, &mut entry)?;
        } else {
            return Err(UnpackError::Kind { path });
        }
    }
    Ok(())
}

fn wheel(archive: File, layout: &Layout, folder: &mut Folder) -> Result<(), UnpackError> {
    let mut zip = zip::ZipArchive::new(BufReader::new(archive)).map_err(UnpackError::Wheel)?;
    for index in 0..zip.len() {
        folder.count()?;
        let mut entry = zip.by_index(index).map_err(UnpackError::Wheel)?;
        let path = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let Some(place) = layout.place(&path).filter(|_| !entry.is_dir()) else { continue };
        if entry.is_symlink() {
            return Err(UnpackError::Kind { path });
        }
        let mode = entry.unix_mode().unwrap_or(0o644);
        folder.write(&place, mode, &mut entry)?;
    }
    Ok(())
}

/// The folder being filled, and how much it has taken so far.
struct Folder {
    root: PathBuf,
    entries: usize,
    bytes: u64,
    /// Folders made so far; asking the disk for each of ten thousand files would be slow.
    dirs: BTreeSet<PathBuf>,
    links: BTreeSet<PathBuf>,
}

impl Folder {
    fn count(&mut self) -> Result<(), UnpackError> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES { Err(UnpackError::Entries) } else { Ok(()) }
    }

    fn write(&mut self, place: &str, mode: u32, from: &mut impl Read) -> Result<(), UnpackError> {
        let path = self.prepare(place)?;
        let failed = |source| UnpackError::Write { path: place.to_owned(), source };
        let runs = mode & 0o111 != 0 || place.starts_with("bin/");
        let mode = if runs { 0o755 } else { 0o644 };
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
        let left = MOST_BYTES - self.bytes;
        let count = io::copy(&mut from.take(left + 1), &mut file).map_err(failed)?;
        self.bytes += count;
        if count > left { Err(UnpackError::Bytes) } else { Ok(()) }
    }

    fn link(&mut self, place: &str, target: &str) -> Result<(), UnpackError> {
        let path = self.prepare(place)?;
        let place = Path::new(place);
        let inside = resolved(place.parent().unwrap_or(Path::new("")), Path::new(target));
        if target.contains('\0') || inside.is_none() {
            return Err(UnpackError::Escapes { path: format!("{} -> {target}", place.display()) });
        }
        let failed = |source| UnpackError::Write { path: place.display().to_string(), source };
        symlink(target, path).map_err(failed)?;
        self.links.insert(place.to_owned());
        Ok(())
    }

    fn make_executable(&self, file: &Path) -> Result<(), UnpackError> {
        use std::os::unix::fs::PermissionsExt;
        let failed = |source| UnpackError::Write { path: file.display().to_string(), source };
        let path = self.root.join(file);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed)
    }

    /// The full path of a place, its parents made, after every check.
    fn prepare(&mut self, place: &str) -> Result<PathBuf, UnpackError> {
        let relative = Path::new(place);
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if place.is_empty() || place.len() > LONGEST_PATH || place.contains('\0') || !plain {
            return Err(UnpackError::Escapes { path: place.to_owned() });
        }
        if relative.ancestors().skip(1).any(|parent| self.links.contains(parent)) {
            return Err(UnpackError::ThroughLink { path: place.to_owned() });
        }
        let path = self.root.join(relative);
        let failed = |source| UnpackError::Write { path: place.to_owned(), source };
        if let Some(parent) = path.parent().filter(|parent| !self.dirs.contains(*parent)) {
            fs::create_dir_all(parent).map_err(failed)?;
            self.dirs.insert(parent.to_owned());
        }
        Ok(path)
    }
}

/// Where a relative link points, as long as it stays inside the root.
fn resolved(from: &Path, target: &Path) -> Option<PathBuf> {
    let mut path = from.to_owned();
    for part in target.components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// A Go tree has 15,000 files, a Python 4,000.
const MOST_ENTRIES: usize = 60_000;
/// The largest, Go, takes 300 MB.
const MOST_BYTES: u64 = 1_500_000_000;
const LONGEST_PATH: usize = 1024;

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
