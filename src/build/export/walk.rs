//! A tree that a build left, entry by entry in order, with hostile shapes kept out.
//!
//! It yields folders, files and links; sockets, pipes, devices and names that would hide files of
//! lower layers are passed over. Invariant: no link is followed, and depth and count are bounded.

use std::{collections::BTreeSet, ffi::OsStr, fmt::Write as _, os::unix::ffi::OsStrExt};

use rustix::fs::{FileType, Stat};
use sha2::{Digest, Sha256};

use super::error::{Excess, ExportError};
use crate::build::{
    folder::{Folder, Owner},
    unpack::path::WHITEOUT,
};

/// One entry of the tree.
pub(in crate::build) struct Entry<'a> {
    /// Its path below the tree's root, without a leading slash.
    pub(in crate::build) path: &'a [u8],
    /// What it is.
    pub(in crate::build) kind: Kind,
    /// Its stat data.
    pub(in crate::build) stat: &'a Stat,
    /// The folder it is in, and its name there.
    pub(in crate::build) folder: &'a Folder,
    /// See [`Entry::folder`].
    pub(in crate::build) name: &'a OsStr,
}

/// What an entry can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::build) enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
}

/// What is done with each entry.
pub(in crate::build) type Visit<'a> = dyn FnMut(&Entry<'_>) -> Result<(), ExportError> + 'a;

/// Visits all of the tree below `root`, a folder before what is in it.
pub(in crate::build) fn walk(root: &Folder, visit: &mut Visit<'_>) -> Result<(), ExportError> {
    Walk { visit, path: Vec::new(), entries: 0 }.folder(root, 0)
}

struct Walk<'a, 'v> {
    visit: &'a mut Visit<'v>,
    path: Vec<u8>,
    entries: u64,
}

impl Walk<'_, '_> {
    fn folder(&mut self, folder: &Folder, depth: usize) -> Result<(), ExportError> {
        if depth > MAX_DEPTH || self.path.len() > MAX_PATH {
            return Err(ExportError::excess(&self.path, Excess::Depth(MAX_DEPTH)));
        }
        for name in folder.names().map_err(|e| ExportError::read(&self.path, e))? {
            if name.as_bytes().starts_with(WHITEOUT) {
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(ExportError::excess(&self.path, Excess::Entries(MAX_ENTRIES)));
            }
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.as_bytes());
            self.entry(folder, &name, depth)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Folder, name: &OsStr, depth: usize) -> Result<(), ExportError> {
        let stat = folder.stat(name).map_err(|e| ExportError::read(&self.path, e))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Link,
            _ => return Ok(()),
        };
        (self.visit)(&Entry { path: &self.path, kind, stat: &stat, folder, name })?;
        if kind == Kind::Folder {
            let inner = folder.folder(name).map_err(|e| ExportError::read(&self.path, e))?;
            self.folder(&inner, depth + 1)?;
        }
        Ok(())
    }
}

/// A digest over the stat data of all entries, or of `only` some: as long as it stays the same, nothing
/// of them was touched. A build can set any time but the change time, which the kernel sets. Of folders
/// only the mode counts: what is in them is told by its own entries.
pub(in crate::build) fn manifest(
    root: &Folder,
    (at, owner): (&str, Owner),
    only: Option<&BTreeSet<Vec<u8>>>,
) -> Result<String, ExportError> {
    let mut hash = Sha256::new();
    hash.update(RULES);
    hash.update((at.len() as u64).to_be_bytes());
    hash.update(at);
    if owner != Owner::APP {
        hash.update(format!(" {owner}"));
    }
    let mut line = String::new();
    walk(root, &mut |entry| {
        if only.is_some_and(|only| !only.contains(entry.path)) {
            return Ok(());
        }
        hash.update((entry.path.len() as u64).to_be_bytes());
        hash.update(entry.path);
        line.clear();
        match entry.kind {
            // Writing to a string cannot fail.
            Kind::Folder => drop(writeln!(line, "{:o}", entry.stat.st_mode)),
            Kind::File | Kind::Link => describe(entry.stat, &mut line),
        }
        hash.update(&line);
        Ok(())
    })?;
    Ok(hex::encode(hash.finalize()))
}

/// The stat data that changes whenever the file does.
pub(in crate::build) fn describe(stat: &Stat, line: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        line,
        "{} {} {}.{} {}.{} {:o}",
        stat.st_ino,
        stat.st_size,
        stat.st_mtime,
        stat.st_mtime_nsec,
        stat.st_ctime,
        stat.st_ctime_nsec,
        stat.st_mode,
    );
}

/// To be changed whenever the same tree would give another tar, so that no old digest is believed.
const RULES: &[u8] = b"paas layer rules 1\n";
/// One open folder for each level.
const MAX_DEPTH: usize = 200;
/// What a container can name at all is `PATH_MAX`, 4096.
const MAX_PATH: usize = 4000;
const MAX_ENTRIES: u64 = 2_000_000;
