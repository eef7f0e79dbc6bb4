//! Contents that the last upload of an app brought. The next one may name them by their digest
//! instead of sending them again, and gets them linked.
//!
//! Uploads are seen by no build, so what was received is what is there; files may therefore be shared
//! between two of them. What a power cut may take back of them is not believed in: the list of the
//! contents counts until this machine boots again. Invariant: a wrong or outdated list leads to
//! contents that are found missing, never to others than were named.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, linkat};

use crate::build::folder::{Executable, Folder};

/// A sha256.
pub(super) type Hash = [u8; 32];

/// The last upload's contents.
pub(super) struct Donor {
    root: Folder,
    contents: HashMap<Hash, Held>,
}

/// A file of the last upload.
pub(super) struct Held {
    path: PathBuf,
    pub(super) executable: Executable,
    pub(super) size: u64,
}

/// The list of an upload's contents, in the form in which it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index(Vec<u8>);

impl Index {
    /// Adds a file.
    pub(super) fn add(&mut self, hash: &Hash, size: u64, executable: Executable, path: &[u8]) {
        let kind = if executable == Executable::Yes { "program" } else { "file" };
        self.0.extend_from_slice(format!("{} {size} {kind} ", hex::encode(hash)).as_bytes());
        self.0.extend_from_slice(path);
        self.0.push(0);
    }

    /// Keeps it beside the tree `name` in `uploads`, in place of the one before. It is whole or not
    /// there; that it reaches the disk is of no interest, because it does not count after a boot.
    pub(crate) fn keep(&self, uploads: &Path, name: &str) -> io::Result<()> {
        let fresh = tempfile::Builder::new().prefix("incoming-").tempfile_in(uploads)?;
        let head = format!("{} {name}\0", boot()?);
        fs::write(fresh.path(), [head.as_bytes(), &self.0].concat())?;
        fresh.persist(uploads.join(INDEX)).map(drop).map_err(|error| error.error)
    }

    /// The name of the tree that the kept list is of, if it still counts.
    pub(crate) fn tree(uploads: &Path) -> Option<String> {
        Some(read(uploads)?.0)
    }
}

impl Donor {
    /// What `uploads` holds of the last upload; nothing if there was none since this machine booted.
    pub(super) fn open(uploads: &Path) -> Option<Self> {
        let (tree, list) = read(uploads)?;
        let root = Folder::open(&uploads.join(tree)).ok()?;
        let contents = list.split(|byte| *byte == 0).filter_map(parse).collect();
        Some(Self { root, contents })
    }

    /// A file with that content.
    pub(super) fn find(&self, hash: &Hash) -> Option<&Held> {
        self.contents.get(hash)
    }

    /// Opens it.
    pub(super) fn file(&self, held: &Held) -> io::Result<fs::File> {
        let (folder, name) = self.place(held)?;
        let (file, stat) = folder.as_ref().unwrap_or(&self.root).file(name)?;
        check(stat.st_size, held.size)?;
        Ok(file)
    }

    /// Gives it another name, in `folder`.
    pub(super) fn link(&self, held: &Held, folder: &Folder, new: &OsStr) -> io::Result<()> {
        let (above, name) = self.place(held)?;
        let above = above.as_ref().unwrap_or(&self.root);
        let (_, stat) = above.file(name)?;
        check(stat.st_size, held.size)?;
        let (from, to) = (above.descriptor(), folder.descriptor());
        Ok(linkat(from, name, to, new, AtFlags::empty())?)
    }

    fn place<'a>(&self, held: &'a Held) -> io::Result<(Option<Folder>, &'a OsStr)> {
        let name = held.path.file_name().ok_or(io::ErrorKind::NotFound)?;
        let above = held.path.parent().filter(|above| !above.as_os_str().is_empty());
        Ok((above.map(|above| self.root.below(above)).transpose()?, name))
    }
}

fn check(found: i64, wanted: u64) -> io::Result<()> {
    let same = u64::try_from(found).is_ok_and(|found| found == wanted);
    if same { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// The tree's name, and the rest of the list.
fn read(uploads: &Path) -> Option<(String, Vec<u8>)> {
    let bytes = fs::read(uploads.join(INDEX)).ok()?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let (when, tree) = head.split_once(' ')?;
    let counts = when == boot().ok()? && !tree.contains('/') && !tree.starts_with('.');
    counts.then(|| (tree.to_owned(), bytes.get(end + 1..).unwrap_or_default().to_vec()))
}

fn parse(record: &[u8]) -> Option<(Hash, Held)> {
    let mut parts = record.splitn(4, |byte| *byte == b' ');
    let mut hash = Hash::default();
    hex::decode_to_slice(parts.next()?, &mut hash).ok()?;
    let size = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let executable = if parts.next()? == b"program" { Executable::Yes } else { Executable::No };
    let path = PathBuf::from(OsStr::from_bytes(parts.next()?));
    Some((hash, Held { path, executable, size }))
}

/// Which run of this machine it is.
fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Beside the trees of an app's uploads.
pub(crate) const INDEX: &str = "last.index";
