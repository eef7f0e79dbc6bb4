//! One layer of an image: where its files come from, and its tar.
//!
//! Invariant: the same files give the same tar, and hence the same digest, on any machine.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufWriter, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    error::{Excess, ExportError},
    tarball::{Attributes, Tarball},
    walk::{self, Entry, Kind},
};
use crate::{
    build::{
        folder::{Folder, Owner},
        workspace::Known,
    },
    model::ByteSize,
};

/// Where the files of a layer come from.
#[derive(Debug, Clone)]
pub(super) enum LayerSource {
    /// A folder of this machine whose contents appear at `at`.
    Tree {
        /// The folder.
        root: PathBuf,
        /// Where its contents are in the image, without a leading slash.
        at: String,
        /// Whose they are there.
        owner: Owner,
        /// The paths that belong to this layer, where the folder is cut into several.
        only: Option<Arc<BTreeSet<Vec<u8>>>>,
    },
    /// The program that starts processes.
    Launcher {
        /// The file on this machine.
        binary: PathBuf,
    },
    /// A tar that was made already; small.
    Ready(Vec<u8>),
    /// A layer of the last image whose files are no longer on this machine.
    Gone,
}

/// A layer of the image to be.
#[derive(Debug)]
pub(super) struct Layer {
    /// Its path in the image, by which it is remembered.
    pub(super) key: String,
    /// Where its files come from.
    pub(super) source: LayerSource,
    /// Digest and size of its tar.
    pub(super) known: Known,
    /// The digest of the stat data, where there is a folder behind it.
    pub(super) manifest: Option<String>,
    /// Its tar, if it had to be written; not on disk by any name.
    pub(super) spooled: Option<File>,
}

impl LayerSource {
    /// The digest of the stat data of its files, if it has any of its own on this machine.
    pub(super) fn manifest(&self) -> Result<Option<String>, ExportError> {
        match self {
            Self::Tree { root, at, owner, only } => {
                walk::manifest(&open(root)?, (at, *owner), only.as_deref()).map(Some)
            }
            Self::Launcher { binary } => {
                let stat = rustix::fs::stat(binary)
                    .map_err(|e| ExportError::read(path_bytes(binary), e.into()))?;
                let mut line = "launcher ".to_owned();
                walk::describe(&stat, &mut line);
                Ok(Some(hex::encode(Sha256::digest(line))))
            }
            Self::Ready(_) | Self::Gone => Ok(None),
        }
    }

    /// Writes the tar to a nameless file in `spool` and computes its digest on the way.
    pub(super) fn spool(&self, key: &str, spool: &Path) -> Result<(File, Known), ExportError> {
        let file = tempfile::tempfile_in(spool).map_err(ExportError::write)?;
        let out = BufWriter::with_capacity(BUFFER, Hashing { file, hash: Sha256::new(), size: 0 });
        let mut tarball = Tarball::new(out);
        match self {
            Self::Tree { root, at, owner, only } => {
                tree(&mut tarball, &open(root)?, (at, *owner), only.as_deref())?;
            }
            Self::Launcher { binary } => launcher(&mut tarball, binary)?,
            Self::Ready(bytes) => {
                let mut out = Hashing {
                    file: tempfile::tempfile_in(spool).map_err(ExportError::write)?,
                    hash: Sha256::new(),
                    size: 0,
                };
                out.write_all(bytes).map_err(ExportError::write)?;
                return out.finish();
            }
            Self::Gone => return Err(ExportError::Lost { layer: key.to_owned() }),
        }
        let out = tarball.finish().map_err(ExportError::write)?;
        out.into_inner().map_err(|error| ExportError::write(error.into_error()))?.finish()
    }
}

/// The folders above `at`, which belong to root, then its contents, which belong to the owner.
fn tree<W: Write>(
    tarball: &mut Tarball<W>,
    root: &Folder,
    (at, owner): (&str, Owner),
    only: Option<&BTreeSet<Vec<u8>>>,
) -> Result<(), ExportError> {
    let mut above = String::new();
    for part in at.split('/') {
        above.push_str(part);
        let last = above.len() == at.len();
        let whose = if last { owner } else { Owner::ROOT };
        let attributes = Attributes { owner: whose, mode: 0o755 };
        tarball.folder(above.as_bytes(), attributes).map_err(ExportError::write)?;
        above.push('/');
    }
    let mut written = 0;
    walk::walk(root, &mut |entry| {
        if only.is_some_and(|only| !only.contains(entry.path)) {
            return Ok(());
        }
        let path = [at.as_bytes(), b"/", entry.path].concat();
        let attributes = Attributes { owner, mode: entry.stat.st_mode & 0o777 };
        match entry.kind {
            Kind::Folder => tarball.folder(&path, attributes).map_err(ExportError::write),
            Kind::Link => {
                let target = entry.folder.link(entry.name);
                let target = target.map_err(|e| ExportError::read(entry.path, e))?;
                tarball.link(&path, &target, owner).map_err(ExportError::write)
            }
            Kind::File => {
                let (file, size) = open_file(entry, &mut written)?;
                tarball.file(&path, attributes, size, file).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        ExportError::excess(entry.path, Excess::Changing)
                    }
                    _ => ExportError::write(error),
                })
            }
        }
    })
}

/// Opens a file and sees that it is not a bomb: few bytes on the disk, terabytes in the tar.
fn open_file(entry: &Entry<'_>, written: &mut u64) -> Result<(File, u64), ExportError> {
    let (file, stat) =
        entry.folder.file(entry.name).map_err(|e| ExportError::read(entry.path, e))?;
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let on_disk = u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512);
    if size > SPARSE_FREE && on_disk < size / SPARSE_FACTOR {
        return Err(ExportError::excess(entry.path, Excess::Sparse));
    }
    *written = written.saturating_add(size);
    if *written > MAX_LAYER.0 {
        return Err(ExportError::excess(entry.path, Excess::Bytes(MAX_LAYER)));
    }
    Ok((file, size))
}

fn launcher<W: Write>(tarball: &mut Tarball<W>, binary: &Path) -> Result<(), ExportError> {
    let read = |error| ExportError::read(path_bytes(binary), error);
    let file = File::open(binary).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    for folder in ["cnb", "cnb/lifecycle"] {
        tarball.folder(folder.as_bytes(), Attributes::ROOT).map_err(ExportError::write)?;
    }
    tarball
        .file(b"cnb/lifecycle/launcher", Attributes::ROOT, size, file)
        .map_err(ExportError::write)
}

fn open(root: &Path) -> Result<Folder, ExportError> {
    Folder::open(root).map_err(|error| ExportError::read(path_bytes(root), error))
}

fn path_bytes(path: &Path) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes()
}

/// A file that knows the digest of what was written to it.
struct Hashing {
    file: File,
    hash: Sha256,
    size: u64,
}

impl Hashing {
    fn finish(mut self) -> Result<(File, Known), ExportError> {
        self.file.rewind().map_err(ExportError::write)?;
        let diff_id = format!("sha256:{}", hex::encode(self.hash.finalize()));
        Ok((self.file, Known { diff_id, size: self.size }))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

const BUFFER: usize = 256 << 10;
const MAX_LAYER: ByteSize = ByteSize(8 << 30);
/// Below this size a file with holes costs nothing worth a refusal.
const SPARSE_FREE: u64 = 64 << 20;
/// File systems that compress have smaller files too, but not a hundred times.
const SPARSE_FACTOR: u64 = 100;
