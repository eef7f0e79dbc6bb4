//! Writes a source as tar and gzip. The same files give the same bytes on every machine: no
//! times, no owners, two modes, sorted. A file that the server is known to have is an entry of the
//! type `R` with its digest as content.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::{Compression, write::GzEncoder};

use sha2::{Digest, Sha256};

use super::{
    known::{Known, Looks},
    list::{Entry, Kind, Source},
};

/// Why a source could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// A file cannot be read, or whoever takes the bytes does not.
    #[error("{}", .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file grew or shrank meanwhile; half of it is nobody's intention.
    #[error("{} changed while it was uploaded", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The end could not be written.
    #[error("the archive could not be finished")]
    End(#[source] io::Error),
}

/// What became of a source.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// What the server knows once it has taken it.
    pub(crate) known: Known,
    /// How many files were only named.
    pub(crate) named: usize,
}

/// Writes what `source` lists of `folder` to `out`, counting the bytes of files in `read`.
pub(crate) fn pack(
    folder: &Path,
    source: &Source,
    known: &Known,
    out: impl Write,
    read: &AtomicU64,
) -> Result<Packed, PackError> {
    // Level 1: on a fast line compression is what takes the time, on a slow one it halves it.
    let gzip = GzEncoder::new(out, Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    let mut packed = Packed::default();
    for entry in &source.entries {
        if !refer(&mut archive, folder, entry, known, (&mut packed, read))? {
            add(&mut archive, folder, entry, (&mut packed.known, read))?;
        }
    }
    let gzip = archive.into_inner().map_err(PackError::End)?;
    let mut out = gzip.finish().map_err(PackError::End)?;
    out.flush().map_err(PackError::End)?;
    Ok(packed)
}

/// Names a file instead of sending it, if the server has it; says whether that was done.
fn refer(
    archive: &mut tar::Builder<impl Write>,
    folder: &Path,
    Entry { path, kind, from }: &Entry,
    known: &Known,
    (packed, read): (&mut Packed, &AtomicU64),
) -> Result<bool, PackError> {
    let (Kind::File { size, mode }, false) = (kind, known.is_empty()) else { return Ok(false) };
    let failed = |source| PackError::Entry { path: path.clone(), source };
    let place = from.clone().unwrap_or_else(|| folder.join(path));
    let found = fs::symlink_metadata(place).map_err(failed)?;
    let Some(noted) = known.of(path, &found).filter(|_| found.is_file()) else { return Ok(false) };
    let digits = hex::encode(noted.hash);
    let mut header = header();
    header.set_entry_type(tar::EntryType::new(REFERENCE));
    header.set_mode(*mode);
    header.set_size(digits.len() as u64);
    archive.append_data(&mut header, path, digits.as_bytes()).map_err(failed)?;
    packed.known.keep(path, noted);
    packed.named += 1;
    read.fetch_add(*size, Ordering::Relaxed);
    Ok(true)
}

fn header() -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

fn add(
    archive: &mut tar::Builder<impl Write>,
    folder: &Path,
    Entry { path, kind, from }: &Entry,
    (known, read): (&mut Known, &AtomicU64),
) -> Result<(), PackError> {
    let failed = |source| PackError::Entry { path: path.clone(), source };
    let mut header = header();
    match kind {
        Kind::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            archive.append_data(&mut header, path, io::empty()).map_err(failed)
        }
        Kind::Link { target } => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            archive.append_link(&mut header, path, target).map_err(failed)
        }
        Kind::File { size, mode } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(*mode);
            header.set_size(*size);
            let place = from.clone().unwrap_or_else(|| folder.join(path));
            let file = File::open(place).map_err(failed)?;
            let before = Looks::of(&file.metadata().map_err(failed)?);
            let hash = Sha256::new();
            let mut content = Counted { inner: file.take(*size), read, here: 0, hash };
            archive.append_data(&mut header, path, &mut content).map_err(failed)?;
            let mut file = content.inner.into_inner();
            let more = file.read(&mut [0]).map_err(failed)?;
            if content.here != *size || more > 0 {
                return Err(PackError::Changed { path: path.clone() });
            }
            let after = Looks::of(&file.metadata().map_err(failed)?);
            known.note(path, content.hash.finalize().into(), [before, after]);
            Ok(())
        }
    }
}

struct Counted<'a, R> {
    inner: R,
    read: &'a AtomicU64,
    here: u64,
    hash: Sha256,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.here += count as u64;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Of the types of entries that POSIX leaves to whoever wants one.
const REFERENCE: u8 = b'R';

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::source::list;

    fn packed(folder: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        let known = Known::default();
        pack(folder, &list(folder).unwrap(), &known, &mut bytes, &AtomicU64::new(0)).unwrap();
        bytes
    }

    fn fill(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name.repeat(1000)).unwrap();
        }
        fs::set_permissions(folder.join("bin/run"), fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink("../bin/run", folder.join("link")).unwrap();
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let long = format!("deep/{}/file", "x".repeat(150));
        fill(one.path(), &["a.txt", "bin/run", &long]);
        fill(two.path(), &[&long, "bin/run", "a.txt"]);
        assert_eq!(packed(one.path()), packed(two.path()));
    }

    #[test]
    fn everything_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("deep/{}/file", "x".repeat(150));
        fill(folder.path(), &["a.txt", "bin/run", &long]);
        let bytes = packed(folder.path());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            let mode = header.mode().unwrap();
            found.insert(entry.path().unwrap().to_str().unwrap().to_owned(), (mode, text));
        }
        assert_eq!(found["a.txt"], (0o644, "a.txt".repeat(1000)));
        assert_eq!(found["bin/run"].0, 0o755);
        assert_eq!(found[&long].1, long.repeat(1000));
        assert_eq!(found["link"].0, 0o777);
    }

    #[test]
    fn a_file_that_changes_meanwhile_stops_the_upload() {
        let folder = tempfile::tempdir().unwrap();
        for new in ["much longer than before", "s"] {
            fs::write(folder.path().join("a"), "before").unwrap();
            let source = list(folder.path()).unwrap();
            fs::write(folder.path().join("a"), new).unwrap();
            let known = Known::default();
            let outcome = pack(folder.path(), &source, &known, io::sink(), &AtomicU64::new(0));
            assert!(matches!(outcome, Err(PackError::Changed { .. })), "{outcome:?}");
        }
    }
}
