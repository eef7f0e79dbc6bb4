//! From a folder to a tar that every tar reads: owners, modes, times to the nanosecond, links, names of one
//! file, holes, extended attributes.
//!
//! The folder is a copy that nobody else changes or gets to. Sockets and devices are not in a copy.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File, FileType, Metadata},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    buffer::spare_capacity,
    fs::{lgetxattr, llistxattr},
};
use tar::{Builder, EntryType, Header};

use super::BackupError;
use crate::faults;

/// Writes all that is in `folder`, and the folder itself as `./`. It blocks.
pub fn pack(folder: &Path, out: impl Write) -> Result<(), BackupError> {
    let mut packer = Packer { tar: Builder::new(out), folder, links: HashMap::new() };
    packer.tar.follow_symlinks(false);
    packer.tree(Path::new("."))?;
    packer.tar.finish().map_err(failed(Path::new(".")))
}

struct Packer<'a, W: Write> {
    tar: Builder<W>,
    folder: &'a Path,
    /// Where each file of several names was packed first.
    links: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<'_, W> {
    fn tree(&mut self, name: &Path) -> Result<(), BackupError> {
        let path = self.folder.join(name);
        let found = fs::symlink_metadata(&path).map_err(failed(name))?;
        self.entry(&path, name, &found).map_err(failed(name))?;
        faults::point("backups.packed");
        if found.is_dir() {
            for inner in fs::read_dir(&path).map_err(failed(name))? {
                self.tree(&name.join(inner.map_err(failed(name))?.file_name()))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &Path, found: &Metadata) -> io::Result<()> {
        let kind = found.file_type();
        if kind.is_file() && found.nlink() > 1 {
            let key = (found.dev(), found.ino());
            if let Some(first) = self.links.get(&key) {
                let mut header = header(found, EntryType::Link);
                return self.tar.append_link(&mut header, name, first);
            }
            if self.links.len() < MOST_LINKED {
                self.links.insert(key, name.to_owned());
            }
        }
        if !is_packed(kind) {
            return Ok(());
        }
        self.extensions(path, found)?;
        if kind.is_dir() {
            let mut header = header(found, EntryType::Directory);
            self.tar.append_data(&mut header, name.join(""), io::empty())
        } else if kind.is_symlink() {
            let mut header = header(found, EntryType::Symlink);
            self.tar.append_link(&mut header, name, fs::read_link(path)?)
        } else if kind.is_fifo() {
            let mut header = header(found, EntryType::Fifo);
            self.tar.append_data(&mut header, name, io::empty())
        } else {
            self.tar.append_file(name, &mut File::open(path)?)
        }
    }

    /// What a plain header has no room for, in an entry before it (POSIX.1-2001).
    fn extensions(&mut self, path: &Path, found: &Metadata) -> io::Result<()> {
        let mut more = vec![("mtime".to_owned(), time(found).into_bytes())];
        let mut names = Vec::with_capacity(ATTRIBUTES);
        // A file system without attributes has none to pack.
        if llistxattr(path, spare_capacity(&mut names)).is_ok() {
            for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
                let mut value = Vec::with_capacity(ATTRIBUTES);
                let Ok(text) = str::from_utf8(name) else { continue };
                if lgetxattr(path, OsStr::from_bytes(name), spare_capacity(&mut value)).is_ok() {
                    more.push((format!("{ATTRIBUTE}{text}"), value));
                }
            }
        }
        self.tar.append_pax_extensions(more.iter().map(|(key, value)| (key.as_str(), &**value)))
    }
}

fn is_packed(kind: FileType) -> bool {
    !(kind.is_socket() || kind.is_block_device() || kind.is_char_device())
}

fn header(found: &Metadata, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_metadata(found);
    header.set_entry_type(kind);
    header.set_size(0);
    header
}

/// Seconds since the epoch as a decimal fraction.
fn time(found: &Metadata) -> String {
    let nanos = i128::from(found.mtime()) * NANOS + i128::from(found.mtime_nsec());
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!("{sign}{}.{:09}", nanos / NANOS.unsigned_abs(), nanos % NANOS.unsigned_abs())
}

fn failed(name: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let name = name.display().to_string();
    move |source| BackupError::Entry { operation: "packed", name, source }
}

/// What GNU tar, bsdtar and star call the extended attribute of that name.
pub(super) const ATTRIBUTE: &str = "SCHILY.xattr.";
/// Names, or the value of one, in bytes: the kernel's own bound.
const ATTRIBUTES: usize = 64 << 10;
/// Of more than that the names become files of their own.
const MOST_LINKED: usize = 200_000;
const NANOS: i128 = 1_000_000_000;
