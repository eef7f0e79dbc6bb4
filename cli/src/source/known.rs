//! What the last upload of a folder brought, so that the next one need not bring it again.
//!
//! One file per folder and app in the user's cache: for each file its digest and how it looked to the
//! disk when it was read. A file that looks the same is named by its digest; the server says if it
//! no longer has one of them. Invariant: a digest is noted only of a file that nothing touched while it
//! was read, nor in the moments before, in which a second change could look like the first.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// A sha256.
pub(crate) type Hash = [u8; 32];

/// The files of an upload, by their paths in it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Known(HashMap<PathBuf, Noted>);

/// A file, as it was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    looks: Looks,
    pub(super) hash: Hash,
}

/// What the disk says of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970. No program can set the second one.
    modified: i128,
    changed: i128,
}

impl Looks {
    pub(super) fn of(file: &Metadata) -> Self {
        let time =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.len(),
            modified: time(file.mtime(), file.mtime_nsec()),
            changed: time(file.ctime(), file.ctime_nsec()),
        }
    }

    /// Whether a later change could not look the same: file systems count in steps.
    fn is_settled(&self, now: Timestamp) -> bool {
        now.as_nanosecond() - self.modified.max(self.changed) > STEP
    }
}

impl Known {
    /// Whether there is nothing that could be named.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was noted of a file, if it still looks like that.
    pub(super) fn of(&self, path: &Path, file: &Metadata) -> Option<Noted> {
        self.0.get(path).filter(|noted| noted.looks == Looks::of(file)).copied()
    }

    /// Whether the file of that path in `folder` looks as it did in the last upload.
    pub(crate) fn is_current(&self, folder: &Path, path: &Path) -> bool {
        let file = fs::symlink_metadata(folder.join(path));
        file.is_ok_and(|file| self.of(path, &file).is_some())
    }

    /// How many files are not among those.
    pub(crate) fn missing_in(&self, paths: &HashSet<&Path>) -> usize {
        self.0.keys().filter(|path| !paths.contains(path.as_path())).count()
    }

    /// Notes a file again.
    pub(super) fn keep(&mut self, path: &Path, noted: Noted) {
        self.0.insert(path.to_owned(), noted);
    }

    /// Notes a file that was read, unless it looked different before, or changed just now.
    pub(super) fn note(&mut self, path: &Path, hash: Hash, [before, after]: [Looks; 2]) {
        if before == after && after.is_settled(Timestamp::now()) {
            self.0.insert(path.to_owned(), Noted { looks: after, hash });
        }
    }

    /// Reads what was kept; nothing if there is nothing that can be read.
    pub(crate) fn read(place: &Path) -> Self {
        let bytes = fs::read(place).unwrap_or_default();
        let mut records = bytes.split(|byte| *byte == 0);
        if records.next() != Some(FORM) {
            return Self::default();
        }
        Self(records.filter_map(parse).collect())
    }

    /// Keeps it for the next upload.
    pub(crate) fn write(&self, place: &Path) -> io::Result<()> {
        let folder = place.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        forget_old(folder);
        let mut bytes = [FORM, b"\0"].concat();
        for (path, Noted { looks, hash }) in &self.0 {
            let Looks { device, inode, size, modified, changed } = looks;
            let hash = hex::encode(hash);
            let head = format!("{hash} {device} {inode} {size} {modified} {changed} ");
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(path.as_os_str().as_bytes());
            bytes.push(0);
        }
        let fresh = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(fresh.path(), bytes)?;
        fresh.persist(place).map(drop).map_err(|error| error.error)
    }
}

/// Where that is kept for uploads of `folder` to `app` of `server`.
pub(crate) fn place(cache: &Path, server: &str, app: &str, folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut hash = Sha256::new();
    for part in [server.as_bytes(), app.as_bytes(), folder.as_os_str().as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    cache.join("paas/uploads").join(hex::encode(hash.finalize()))
}

/// Removes what was not used for long; what cannot be removed does no harm.
fn forget_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|found| found.modified()).map(|at| at.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > OLD)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn parse(record: &[u8]) -> Option<(PathBuf, Noted)> {
    let mut parts = record.splitn(7, |byte| *byte == b' ');
    let mut hash = Hash::default();
    hex::decode_to_slice(parts.next()?, &mut hash).ok()?;
    let mut figure = || std::str::from_utf8(parts.next()?).ok()?.parse::<i128>().ok();
    let (device, inode, size) = (figure()?, figure()?, figure()?);
    let (modified, changed) = (figure()?, figure()?);
    let looks = Looks {
        device: device.try_into().ok()?,
        inode: inode.try_into().ok()?,
        size: size.try_into().ok()?,
        modified,
        changed,
    };
    let path = PathBuf::from(OsStr::from_bytes(parts.next()?));
    Some((path, Noted { looks, hash }))
}

/// The first record of a file in this form.
const FORM: &[u8] = b"paas uploads 1";
/// The coarsest clock of a file system, FAT's, in nanoseconds.
const STEP: i128 = 2_000_000_000;
/// A folder that was not deployed for a quarter of a year.
const OLD: Duration = Duration::from_hours(24 * 90);

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(path: &Path) -> Looks {
        Looks::of(&fs::symlink_metadata(path).unwrap())
    }

    #[test]
    fn only_what_lies_still_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "a").unwrap();
        let fresh = looks(&file);
        let mut known = Known::default();
        known.note(Path::new("a"), [1; 32], [fresh, fresh]);
        assert!(known.is_empty(), "it was changed this very moment");

        let old = Looks { changed: 5, modified: 5, ..fresh };
        known.note(Path::new("a"), [1; 32], [old, Looks { modified: 6, ..old }]);
        assert!(known.is_empty(), "it was changed while it was read");
        // `touch -d` sets one of the two times only.
        let touched = Looks { modified: 5, ..fresh };
        known.note(Path::new("a"), [1; 32], [touched, touched]);
        assert!(known.is_empty());
        known.note(Path::new("a"), [1; 32], [old, old]);
        assert_eq!(known.0[Path::new("a")].hash, [1; 32]);
    }

    #[test]
    fn what_is_kept_is_read_again_and_a_file_that_looks_different_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("odd \n\u{e9}");
        fs::write(&file, "a").unwrap();
        let path = Path::new(OsStr::from_bytes(b"odd \n\xe9"));
        let mut known = Known::default();
        known.keep(path, Noted { looks: looks(&file), hash: [7; 32] });
        let place = place(folder.path(), "unix:/x", "shop", folder.path());
        known.write(&place).unwrap();
        let known = Known::read(&place);
        let noted = known.of(path, &fs::symlink_metadata(&file).unwrap());
        assert_eq!(noted.map(|noted| noted.hash), Some([7; 32]));

        // Another file of the same size in its place, with the time of the first.
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(folder.path().join("other"), "b").unwrap();
        fs::rename(folder.path().join("other"), &file).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        assert_eq!(known.of(path, &fs::symlink_metadata(&file).unwrap()), None);

        fs::write(&place, "something else").unwrap();
        assert!(Known::read(&place).is_empty());
        assert!(Known::read(&folder.path().join("missing")).is_empty());
    }
}
