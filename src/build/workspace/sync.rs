//! Makes a folder equal to a source tree and leaves alone what is equal already.
//!
//! Files that did not change keep their inode and times, which keeps incremental compilers and
//! the exporter's manifest warm. Whatever else is there, such as products of an older build, goes:
//! the image shall hold the source and what this build made. Contents are compared, not times,
//! because a build can set those as it likes. Invariant: the source is only read, so a build that
//! was killed can begin again.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read},
    path::Path,
};

use rustix::fs::{FileType, Stat};

use crate::build::folder::{Executable, Folder, Owner};

/// Makes `target` equal to `source`, both of them folders of ours, but for what is in `source` for
/// the platform. What is new in `target` is `owner`'s.
pub(crate) fn sync(source: &Path, target: &Path, owner: Owner) -> io::Result<()> {
    let source = Folder::open(source)?;
    let mut names = source.names()?;
    names.retain(|name| name != PLATFORM);
    sync_names(&source, &Folder::open(target)?.of(owner), &names)
}

/// The recursion is as deep as the source, which was bounded when it was unpacked.
fn sync_folder(source: &Folder, target: &Folder) -> io::Result<()> {
    sync_names(source, target, &source.names()?)
}

fn sync_names(source: &Folder, target: &Folder, names: &[OsString]) -> io::Result<()> {
    for extra in target.names()?.iter().filter(|name| names.binary_search(name).is_err()) {
        target.remove(extra)?;
    }
    for name in names {
        sync_entry(source, target, name)?;
    }
    Ok(())
}

fn sync_entry(source: &Folder, target: &Folder, name: &OsString) -> io::Result<()> {
    let wanted = source.stat(name)?;
    let kind = FileType::from_raw_mode(wanted.st_mode);
    let present = match target.stat(name) {
        Ok(stat) => Some(stat),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let same_kind =
        present.filter(|stat| FileType::from_raw_mode(stat.st_mode) == kind && is_ours(stat));
    match (kind, same_kind) {
        (FileType::Directory, Some(_)) => sync_folder(&source.folder(name)?, &target.folder(name)?),
        (FileType::Directory, None) => {
            target.remove(name)?;
            sync_folder(&source.folder(name)?, &target.create_folder(name)?)
        }
        (FileType::RegularFile, Some(stat)) if equal_files(source, target, name, &stat)? => Ok(()),
        (FileType::RegularFile, _) => {
            target.remove(name)?;
            let (mut from, stat) = source.file(name)?;
            let mut to = target.create_file(name, Executable::from_mode(stat.st_mode))?;
            io::copy(&mut from, &mut to).map(|_| ())
        }
        (FileType::Symlink, Some(_)) if source.link(name)? == target.link(name)? => Ok(()),
        (FileType::Symlink, _) => {
            target.remove(name)?;
            target.create_link(name, &source.link(name)?)
        }
        // Nothing else comes out of `unpack`.
        _ => target.remove(name),
    }
}

/// A folder or file as we would make it: a build may have closed it to its own successors.
fn is_ours(stat: &Stat) -> bool {
    let mode = stat.st_mode & 0o7777;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => mode == 0o755,
        FileType::RegularFile => (mode == 0o644 || mode == 0o755) && stat.st_nlink == 1,
        _ => true,
    }
}

fn equal_files(source: &Folder, target: &Folder, name: &OsStr, present: &Stat) -> io::Result<bool> {
    let (mut wanted, stat) = source.file(name)?;
    let executable = Executable::from_mode(stat.st_mode);
    if stat.st_size != present.st_size || executable != Executable::from_mode(present.st_mode) {
        return Ok(false);
    }
    let (mut present, _) = target.file(name)?;
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let (a, b) = (fill(&mut wanted, &mut ours)?, fill(&mut present, &mut theirs)?);
        if ours.get(..a) != theirs.get(..b) {
            return Ok(false);
        }
        if a == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// At the top of an upload: what the command line sends besides the app.
const PLATFORM: &str = ".paas";
const CHUNK: usize = 64 << 10;
