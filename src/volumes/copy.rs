//! Copying a folder that somebody else wrote, with all that makes it what it is: owners, modes, times,
//! holes, extended attributes, links, and names of one file. On a file system that can share bytes
//! between files (btrfs, XFS) it shares them.
//!
//! Not `cp`: what is copied may be changed by its app meanwhile, and a folder that becomes a link at the
//! wrong moment would have root copy what the link leads to. Invariant: no link is followed, and
//! nothing is opened that is not a file or a folder. Sockets and devices are left out.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    buffer::spare_capacity,
    fs::{
        self, AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid,
        XattrFlags,
    },
    io::Errno,
};

use super::FolderError;
use crate::model::ByteSize;

/// Why a folder was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The disk would be too full.
    #[error("{free} of the disk are free, and {reserve} are to stay so")]
    Full {
        /// What is left.
        free: ByteSize,
        /// What is to be.
        reserve: ByteSize,
    },
    /// It was told to stop.
    #[error("it took too long")]
    Stopped,
    /// The folder that it is in, or is to be in.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file or folder.
    #[error("`{name}` cannot be copied")]
    Entry {
        /// Which, as it is called in its folder.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Copies all that is in the folder `from` to the folder `to`, which must not be there; that the disk has it
/// is not waited for. It blocks, ends soon after `stop` becomes true, and leaves what it has made so far
/// where it fails.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    reserve: ByteSize,
    stop: &AtomicBool,
) -> Result<(), CopyError> {
    let source = fs::open(from, FOLDER, Mode::empty()).map_err(failed(from))?;
    fs::mkdir(to, Mode::RWXU).map_err(failed(to))?;
    let target = fs::open(to, FOLDER, Mode::empty()).map_err(failed(to))?;
    let stat = fs::fstat(&source).map_err(failed(from))?;
    let mut copier = Copier { reserve, stop, links: HashMap::new(), unlooked: u64::MAX };
    copier.folder((&source, &target), &stat, DEEPEST)
}

fn failed(path: &Path) -> impl FnOnce(Errno) -> CopyError {
    let name = path.display().to_string();
    move |source| CopyError::Entry { name, source: source.into() }
}

struct Copier<'a> {
    reserve: ByteSize,
    stop: &'a AtomicBool,
    /// The first copy of each file that has several names: its folder there, and its name.
    links: HashMap<(u64, u64), (OwnedFd, CString)>,
    /// Bytes since the free space was asked for.
    unlooked: u64,
}

impl Copier<'_> {
    fn folder(
        &mut self,
        (source, target): (&OwnedFd, &OwnedFd),
        own: &Stat,
        deep: u32,
    ) -> Result<(), CopyError> {
        if deep == 0 {
            return Err(entry(c"…", Errno::NAMETOOLONG));
        }
        let entries = fs::Dir::read_from(source).map_err(|error| entry(c".", error))?;
        for found in entries {
            let found = found.map_err(|error| entry(c".", error))?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(CopyError::Stopped);
            }
            match self.entry((source, target), name, deep) {
                // It went while it was looked at: nobody can say whether it was there.
                Err(CopyError::Entry { source, .. })
                    if source.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        dress(source, target, own).map_err(|error| entry(c".", error))
    }

    fn entry(
        &mut self,
        (source, target): (&OwnedFd, &OwnedFd),
        name: &CStr,
        deep: u32,
    ) -> Result<(), CopyError> {
        let failed = |error: Errno| entry(name, error);
        let stat = fs::statat(source, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let inner = fs::openat(source, name, FOLDER, Mode::empty()).map_err(failed)?;
                fs::mkdirat(target, name, Mode::RWXU).map_err(failed)?;
                let copy = fs::openat(target, name, FOLDER, Mode::empty()).map_err(failed)?;
                self.folder((&inner, &copy), &stat, deep - 1)
            }
            FileType::RegularFile => self.file((source, target), name),
            FileType::Symlink => {
                let aim = fs::readlinkat(source, name, Vec::new()).map_err(failed)?;
                fs::symlinkat(&aim, target, name).map_err(failed)?;
                let (user, group) = owner(&stat);
                fs::chownat(target, name, user, group, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(failed)?;
                let times = times(&stat);
                fs::utimensat(target, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
            }
            FileType::Fifo => {
                fs::mknodat(target, name, FileType::Fifo, mode(&stat), 0).map_err(failed)?;
                let (user, group) = owner(&stat);
                fs::chownat(target, name, user, group, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
            }
            FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Ok(()),
        }
    }

    fn file(
        &mut self,
        (source, target): (&OwnedFd, &OwnedFd),
        name: &CStr,
    ) -> Result<(), CopyError> {
        let failed = |error: Errno| entry(name, error);
        let from = fs::openat(source, name, FILE, Mode::empty()).map_err(failed)?;
        let stat = fs::fstat(&from).map_err(failed)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(());
        }
        let key = (stat.st_dev, stat.st_ino);
        if let Some((folder, first)) = self.links.get(&key) {
            let linked = fs::linkat(folder, first, target, name, AtFlags::empty());
            return linked.map_err(failed);
        }
        let made = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let to = fs::openat(target, name, made, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        if fs::ioctl_ficlone(&to, &from).is_err() {
            self.bytes((&from, &to), u64::try_from(stat.st_size).unwrap_or_default(), name)?;
        }
        dress(&from, &to, &stat).map_err(failed)?;
        if stat.st_nlink > 1 && self.links.len() < MOST_LINKED {
            let folder = target.try_clone().map_err(|source| named(name, source))?;
            self.links.insert(key, (folder, name.to_owned()));
        }
        Ok(())
    }

    /// What is between the holes.
    fn bytes(
        &mut self,
        (from, to): (&OwnedFd, &OwnedFd),
        size: u64,
        name: &CStr,
    ) -> Result<(), CopyError> {
        let failed = |error: Errno| entry(name, error);
        let broken = |source| named(name, source);
        let source = File::from(from.try_clone().map_err(broken)?);
        let mut target = File::from(to.try_clone().map_err(broken)?);
        fs::ftruncate(to, size).map_err(failed)?;
        let mut at = 0;
        while at < size {
            let begin = match fs::seek(from, SeekFrom::Data(at)) {
                Ok(begin) => begin,
                Err(Errno::NXIO) => break,
                Err(error) => return Err(failed(error)),
            };
            let end = fs::seek(from, SeekFrom::Hole(begin)).map_err(failed)?.min(size);
            fs::seek(from, SeekFrom::Start(begin)).map_err(failed)?;
            fs::seek(to, SeekFrom::Start(begin)).map_err(failed)?;
            at = begin;
            while at < end {
                self.look(to)?;
                let piece = (end - at).min(PIECE);
                let copied = io::copy(&mut (&source).take(piece), &mut target).map_err(broken)?;
                if copied == 0 {
                    return Ok(());
                }
                at += copied;
                self.unlooked = self.unlooked.saturating_add(copied);
            }
        }
        Ok(())
    }

    /// Looks now and then whether there is room, and whether it is to go on.
    fn look(&mut self, to: &OwnedFd) -> Result<(), CopyError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(CopyError::Stopped);
        }
        if self.unlooked < PIECE {
            return Ok(());
        }
        self.unlooked = 0;
        let space = fs::fstatvfs(to).map_err(|error| entry(c".", error))?;
        let free = ByteSize(space.f_bavail.saturating_mul(space.f_frsize));
        let low = free < self.reserve;
        if low { Err(CopyError::Full { free, reserve: self.reserve }) } else { Ok(()) }
    }
}

/// Gives a copy what the original has besides its bytes. The owner first: changing it takes away from
/// the mode.
fn dress(from: &OwnedFd, to: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
    let (user, group) = owner(stat);
    fs::fchown(to, user, group)?;
    fs::fchmod(to, mode(stat))?;
    attributes(from, to)?;
    fs::futimens(to, &times(stat))
}

/// Extended attributes; those that cannot be read or kept here are left out.
fn attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = Vec::with_capacity(ATTRIBUTES);
    match fs::flistxattr(from.as_fd(), spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(Errno::OPNOTSUPP | Errno::RANGE) => return Ok(()),
        Err(error) => return Err(error),
    }
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = Vec::with_capacity(ATTRIBUTES);
        if fs::fgetxattr(from.as_fd(), name, spare_capacity(&mut value)).is_ok() {
            fs::fsetxattr(to, name, &value, XattrFlags::empty()).ok();
        }
    }
    Ok(())
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
}

fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanos| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanos).unwrap_or_default(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn entry(name: &CStr, error: Errno) -> CopyError {
    named(name, error.into())
}

fn named(name: &CStr, source: io::Error) -> CopyError {
    CopyError::Entry { name: name.to_string_lossy().escape_debug().to_string(), source }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A pipe that takes the file's place meanwhile does not keep anybody waiting.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// Between two looks at the disk.
const PIECE: u64 = 64 << 20;
/// Names, or the value of one, in bytes: the kernel's own bound.
const ATTRIBUTES: usize = 64 << 10;
/// Each level is two open files.
const DEEPEST: u32 = 100;
/// Each is an open file; of more than that the names become files of their own.
const MOST_LINKED: usize = 200;

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn a_copy_is_the_same_in_all_that_counts() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("from"), home.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/file"), "text").unwrap();
        fs::set_permissions(from.join("a/b/file"), Permissions::from_mode(0o4751)).unwrap();
        fs::hard_link(from.join("a/b/file"), from.join("same")).unwrap();
        fs::set_permissions(from.join("a"), Permissions::from_mode(0o2710)).unwrap();
        symlink("/etc/passwd", from.join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        let holes = File::create(from.join("holes")).unwrap();
        holes.write_all_at(b"end", 100 << 20).unwrap();
        let stop = AtomicBool::new(false);
        copy(&from, &to, ByteSize(0), &stop).unwrap();

        let stat = |path: &str| fs::symlink_metadata(to.join(path)).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/b/file")).unwrap(), "text");
        assert_eq!((stat("same").mode() & 0o7777, stat("a").mode() & 0o7777), (0o4751, 0o2710));
        assert_eq!(stat("same").ino(), stat("a/b/file").ino());
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
        assert!(!to.join("socket").exists());
        let (size, blocks) = (stat("holes").len(), stat("holes").blocks());
        assert!(size == (100 << 20) + 3 && blocks < 1000, "{size} {blocks}");
        let before = fs::metadata(from.join("a/b/file")).unwrap();
        assert_eq!(stat("same").modified().unwrap(), before.modified().unwrap());
        assert_eq!(fs::read_dir(&to).unwrap().count(), 4);
    }

    #[test]
    fn it_stops_when_the_disk_is_to_stay_free_or_when_it_is_told_to() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("from"), home.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "text").unwrap();
        let go_on = AtomicBool::new(false);
        let full = copy(&from, &to, ByteSize(u64::MAX), &go_on);
        assert!(matches!(full, Err(CopyError::Full { .. })), "{full:?}");
        fs::remove_dir_all(&to).unwrap();
        let stopped = copy(&from, &to, ByteSize(0), &AtomicBool::new(true));
        assert!(matches!(stopped, Err(CopyError::Stopped)), "{stopped:?}");
    }
}
