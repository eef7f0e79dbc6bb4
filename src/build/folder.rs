//! An open folder and what is directly in it: the only way in which builds touch trees that
//! somebody else wrote.
//!
//! It decides nothing about contents. Invariant: no call here follows a link, waits for the other
//! end of a pipe, or leaves the folder, whatever the tree is made of.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::Path,
};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid};

/// Whose files are: user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    /// The user's number.
    pub(crate) user: u32,
    /// The group's.
    pub(crate) group: u32,
}

impl Owner {
    /// Who builds and apps run as on our base images.
    pub(crate) const APP: Self = Self { user: 1000, group: 1000 };
    /// The platform's own.
    pub(crate) const ROOT: Self = Self { user: 0, group: 0 };
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.user, self.group)
    }
}

/// An open folder, and whose is what is made in it.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd, Owner);

impl Folder {
    /// Opens a folder of our own by its path; its last part must not be a link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, FOLDER, Mode::empty())?, Owner::APP))
    }

    /// The same folder; what is made in it and below it is `owner`'s.
    pub(crate) fn of(self, owner: Owner) -> Self {
        Self(self.0, owner)
    }

    /// A folder directly in this one.
    pub(crate) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(fs::openat(&self.0, name, FOLDER, Mode::empty())?, self.1))
    }

    /// A folder anywhere below this one, reached without passing a link.
    pub(crate) fn below(&self, path: &Path) -> io::Result<Self> {
        Ok(Self(fs::openat2(&self.0, path, FOLDER, Mode::empty(), BENEATH)?, self.1))
    }

    /// What is in it, sorted by bytes.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What `name` is, itself and not what it points to.
    pub(crate) fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Opens a regular file for reading; anything else is an error.
    pub(crate) fn file(&self, name: &OsStr) -> io::Result<(File, Stat)> {
        let fd = fs::openat(&self.0, name, READ, Mode::empty())?;
        let stat = fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        Ok((File::from(fd), stat))
    }

    /// Where a link points.
    pub(crate) fn link(&self, name: &OsStr) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// Makes a file that was not there, of the owner.
    pub(crate) fn create_file(&self, name: &OsStr, executable: Executable) -> io::Result<File> {
        let fd = fs::openat(&self.0, name, CREATE, Mode::from_raw_mode(0o600))?;
        let mode = match executable {
            Executable::Yes => 0o755,
            Executable::No => 0o644,
        };
        fs::fchmod(&fd, Mode::from_raw_mode(mode))?;
        own(&fd, self.1)?;
        Ok(File::from(fd))
    }

    /// Makes a folder that was not there, of the owner, and opens it.
    pub(crate) fn create_folder(&self, name: &OsStr) -> io::Result<Self> {
        fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o755))?;
        let folder = self.folder(name)?;
        fs::fchmod(&folder.0, Mode::from_raw_mode(0o755))?;
        folder.own()?;
        Ok(folder)
    }

    /// Makes a link that was not there.
    pub(crate) fn create_link(&self, name: &OsStr, target: &[u8]) -> io::Result<()> {
        fs::symlinkat(target, &self.0, name)?;
        self.own_entry(name)
    }

    /// Makes a socket of ours the owner's, and nobody else's.
    pub(crate) fn own_socket(&self, name: &OsStr) -> io::Result<()> {
        fs::chmodat(&self.0, name, Mode::from_raw_mode(0o600), AtFlags::empty())?;
        self.own_entry(name)
    }

    /// Gives the folder itself to its owner.
    pub(crate) fn own(&self) -> io::Result<()> {
        own(&self.0, self.1)
    }

    fn own_entry(&self, name: &OsStr) -> io::Result<()> {
        if rustix::process::geteuid().is_root() {
            let Owner { user, group } = self.1;
            let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
            fs::chownat(&self.0, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// Removes `name`, whatever it is, and all below it. Whoever wrote the tree may have nested it
    /// deeper than there are file descriptors, so folders are moved up and emptied one at a time.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        match fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        let doomed = self.folder(name)?;
        let mut moved = 0_u64;
        loop {
            let names = doomed.names()?;
            if names.is_empty() {
                break;
            }
            for inner in names {
                doomed.flatten(&inner, &mut moved)?;
            }
        }
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes `name` from this folder; the folders in it, if it is one, come up to this one.
    fn flatten(&self, name: &OsStr, moved: &mut u64) -> io::Result<()> {
        if FileType::from_raw_mode(self.stat(name)?.st_mode) != FileType::Directory {
            return Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?);
        }
        let inner = self.folder(name)?;
        for child in inner.names()? {
            if FileType::from_raw_mode(inner.stat(&child)?.st_mode) == FileType::Directory {
                inner.move_up(&child, self, moved)?;
            } else {
                fs::unlinkat(&inner.0, &child, AtFlags::empty())?;
            }
        }
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Moves a folder to `upper` under the first number that is free there.
    fn move_up(&self, name: &OsStr, upper: &Self, moved: &mut u64) -> io::Result<()> {
        loop {
            *moved += 1;
            let free = format!(".paas-removing-{moved}");
            match fs::renameat_with(&self.0, name, &upper.0, &free, fs::RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::EXIST) => {}
                other => return Ok(other?),
            }
        }
    }

    /// The descriptor, for calls that need a path through `/proc/self/fd`.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }
}

/// Whether a file is a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executable {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Executable {
    /// From the permissions of a file: one that anybody may execute counts.
    pub(crate) fn from_mode(mode: u32) -> Self {
        if mode & 0o111 == 0 { Self::No } else { Self::Yes }
    }
}

/// Gives something away, where we are root; elsewhere it stays ours (in tests).
fn own(fd: impl rustix::fd::AsFd, Owner { user, group }: Owner) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        fs::fchown(fd, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    Ok(())
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `NONBLOCK` so that opening a FIFO does not wait for a writer.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const CREATE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
