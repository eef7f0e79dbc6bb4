//! From a tar to a folder. The tar is believed nothing: it may have been made by anybody who knows the public
//! half of the key.
//!
//! Invariants: everything happens below the folder, through no link; a device is never made; what is there
//! already is not written to; the disk keeps its reserve.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid,
        XattrFlags,
    },
    io::Errno,
};
use tar::{Archive, Entry, EntryType};

use super::{BackupError, pack::ATTRIBUTE};
use crate::{faults, model::ByteSize};

/// Unpacks all of `from` into the folder `to`, which is empty, and reads on to its end: only there it may be said
/// that nothing is missing. So much of the disk stays free. It blocks.
pub fn unpack(from: impl Read, to: &Path, reserve: ByteSize) -> Result<(), BackupError> {
    let root = fs::open(to, FOLDER, Mode::empty()).map_err(|source| named("opened", to, source))?;
    let mut unpacker = Unpacker { root, reserve, open: Vec::new(), unlooked: u64::MAX };
    let mut archive = Archive::new(from);
    let entries = archive.entries().map_err(BackupError::damaged)?;
    for entry in entries {
        unpacker.entry(&mut entry.map_err(BackupError::damaged)?)?;
        faults::point("backups.unpacked");
    }
    unpacker.leave(None)?;
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(BackupError::damaged)?;
    Ok(())
}

struct Unpacker {
    root: OwnedFd,
    reserve: ByteSize,
    /// The folders that are being filled, each within the one before it, and the times that they get
    /// when they are left.
    open: Vec<(PathBuf, Timestamps)>,
    /// Bytes since the free space was asked for.
    unlooked: u64,
}

impl Unpacker {
    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), BackupError> {
        let name = entry.path().map_err(BackupError::damaged)?.into_owned();
        let name = below(&name)?;
        self.leave(Some(&name))?;
        let dress = Dress::of(entry)?;
        let kind = entry.header().entry_type();
        let Some((parent, own)) = self.parent(&name)? else {
            if kind != EntryType::Directory {
                return Err(strange(&name, "which is no folder and has no name"));
            }
            dress.folder(&self.root).map_err(|error| named("made", &name, error))?;
            self.open.push((name, dress.times));
            return Ok(());
        };
        let failed = |error: Errno| named("made", &name, error);
        match kind {
            EntryType::Directory => {
                match fs::mkdirat(&parent, own, Mode::RWXU) {
                    Err(error) if error != Errno::EXIST => return Err(failed(error)),
                    _ => {}
                }
                let folder = fs::openat(&parent, own, FOLDER, Mode::empty()).map_err(failed)?;
                dress.folder(&folder).map_err(failed)?;
                self.open.push((name, dress.times));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let made = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let ours = Mode::RUSR | Mode::WUSR;
                let file = fs::openat(&parent, own, made, ours).map_err(failed)?;
                let file = self.bytes(entry, File::from(file), &name)?;
                dress.file(&file).map_err(failed)?;
            }
            EntryType::Symlink => {
                let aim = target(entry, &name)?;
                fs::symlinkat(aim.as_os_str(), &parent, own).map_err(failed)?;
                dress.link(&parent, own).map_err(failed)?;
            }
            EntryType::Link => {
                let first = below(&target(entry, &name)?)?;
                let Some((folder, first)) = self.parent(&first)? else {
                    return Err(strange(&name, "a second name of the whole"));
                };
                fs::linkat(&folder, first, &parent, own, AtFlags::empty()).map_err(failed)?;
            }
            EntryType::Fifo => {
                fs::mknodat(&parent, own, FileType::Fifo, dress.mode, 0).map_err(failed)?;
                dress.link(&parent, own).map_err(failed)?;
            }
            _ => return Err(strange(&name, "which is neither a file nor a folder nor a link")),
        }
        Ok(())
    }

    /// The folder that something is in, and its name there; `None` for the whole itself.
    fn parent<'a>(&self, name: &'a Path) -> Result<Option<(OwnedFd, &'a OsStr)>, BackupError> {
        let Some(own) = name.file_name() else { return Ok(None) };
        let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = fs::openat2(&self.root, folder, FOLDER, Mode::empty(), resolve);
        Ok(Some((opened.map_err(|error| named("reached", folder, error))?, own)))
    }

    /// What an entry holds; zeros become holes.
    fn bytes(
        &mut self,
        entry: &mut impl Read,
        mut file: File,
        name: &Path,
    ) -> Result<File, BackupError> {
        let failed = |source| BackupError::Entry {
            operation: "written",
            name: name.display().to_string(),
            source,
        };
        let mut piece = vec![0; PIECE];
        let mut size = 0_u64;
        loop {
            let read = match entry.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(BackupError::damaged(error)),
            };
            let bytes = piece.get(..read).unwrap_or_default();
            let more = u64::try_from(read).unwrap_or_default();
            size = size.saturating_add(more);
            if bytes.iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Start(size)).map_err(failed)?;
                continue;
            }
            self.look(more)?;
            file.write_all(bytes).map_err(failed)?;
        }
        file.set_len(size).map_err(failed)?;
        Ok(file)
    }

    /// Looks now and then whether there is room.
    fn look(&mut self, more: u64) -> Result<(), BackupError> {
        self.unlooked = self.unlooked.saturating_add(more);
        if self.unlooked < LOOK_EVERY {
            return Ok(());
        }
        self.unlooked = 0;
        let space =
            fs::fstatvfs(&self.root).map_err(|error| named("looked at", Path::new("."), error))?;
        let free = ByteSize(space.f_bavail.saturating_mul(space.f_frsize));
        let low = free < self.reserve;
        if low { Err(BackupError::Full { free, reserve: self.reserve }) } else { Ok(()) }
    }

    /// Gives folders their times once nothing more comes into them: all that `next` is not in.
    fn leave(&mut self, next: Option<&Path>) -> Result<(), BackupError> {
        while let Some((name, times)) = self.open.last() {
            if next.is_some_and(|next| next.starts_with(name)) {
                break;
            }
            let reached = match self.parent(name)? {
                Some((parent, own)) => fs::utimensat(parent, own, times, AtFlags::SYMLINK_NOFOLLOW),
                None => fs::futimens(&self.root, times),
            };
            reached.map_err(|error| named("finished", name, error))?;
            self.open.pop();
        }
        Ok(())
    }
}

/// What an entry has besides its bytes.
struct Dress {
    owner: (Option<Uid>, Option<Gid>),
    mode: Mode,
    times: Timestamps,
    attributes: Vec<(String, Vec<u8>)>,
}

impl Dress {
    fn of<R: Read>(entry: &mut Entry<'_, R>) -> Result<Self, BackupError> {
        let header = entry.header();
        let id = |id: io::Result<u64>| id.map(|id| u32::try_from(id).unwrap_or(NOBODY));
        let owner = (
            Some(Uid::from_raw(id(header.uid()).map_err(BackupError::damaged)?)),
            Some(Gid::from_raw(id(header.gid()).map_err(BackupError::damaged)?)),
        );
        let mode = Mode::from_raw_mode(header.mode().map_err(BackupError::damaged)? & 0o7777);
        let seconds = header.mtime().map_err(BackupError::damaged)?;
        let mut time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or_default(), tv_nsec: 0 };
        let mut attributes = Vec::new();
        for extension in entry.pax_extensions().map_err(BackupError::damaged)?.into_iter().flatten()
        {
            let extension = extension.map_err(BackupError::damaged)?;
            let Ok(key) = extension.key() else { continue };
            if key == "mtime" {
                time = extension.value().ok().and_then(precise).unwrap_or(time);
            } else if let Some(name) = key.strip_prefix(ATTRIBUTE) {
                attributes.push((name.to_owned(), extension.value_bytes().to_vec()));
            }
        }
        let times = Timestamps { last_access: time, last_modification: time };
        Ok(Self { owner, mode, times, attributes })
    }

    /// The owner first: changing it takes away from the mode. A folder gets its times when it is left.
    fn folder(&self, folder: impl AsFd) -> Result<(), Errno> {
        fs::fchown(&folder, self.owner.0, self.owner.1)?;
        fs::fchmod(&folder, self.mode)?;
        for (name, value) in &self.attributes {
            // Those that cannot be kept here are left out.
            fs::fsetxattr(&folder, name.as_str(), value, XattrFlags::empty()).ok();
        }
        Ok(())
    }

    fn file(&self, file: impl AsFd) -> Result<(), Errno> {
        self.folder(&file)?;
        fs::futimens(&file, &self.times)
    }

    fn link(&self, parent: &OwnedFd, own: &OsStr) -> Result<(), Errno> {
        fs::chownat(parent, own, self.owner.0, self.owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
        fs::utimensat(parent, own, &self.times, AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// A name that stays below the folder; empty for the folder itself.
fn below(name: &Path) -> Result<PathBuf, BackupError> {
    let mut plain = PathBuf::new();
    for part in name.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => plain.push(part),
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(strange(name, "which leads out of the folder"));
            }
        }
    }
    let deep = plain.components().count() > DEEPEST || plain.as_os_str().as_bytes().contains(&0);
    if deep { Err(strange(name, "which is too deep")) } else { Ok(plain) }
}

fn target<R: Read>(entry: &Entry<'_, R>, name: &Path) -> Result<PathBuf, BackupError> {
    let aim = entry.link_name().map_err(BackupError::damaged)?;
    aim.map(std::borrow::Cow::into_owned).ok_or_else(|| strange(name, "a link that leads nowhere"))
}

/// Seconds and a decimal fraction.
fn precise(text: &str) -> Option<Timespec> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = fraction.get(..fraction.len().min(9))?;
    let nanos: i64 = format!("{digits:0<9}").parse().ok().filter(|nanos| *nanos >= 0)?;
    let seconds = sign * seconds.parse::<u32>().ok().map(i64::from)?;
    if sign < 0 && nanos > 0 {
        return Some(Timespec { tv_sec: seconds - 1, tv_nsec: 1_000_000_000 - nanos });
    }
    Some(Timespec { tv_sec: seconds, tv_nsec: nanos })
}

fn strange(name: &Path, fault: &'static str) -> BackupError {
    BackupError::Strange { name: name.display().to_string().escape_debug().to_string(), fault }
}

fn named(operation: &'static str, name: &Path, error: Errno) -> BackupError {
    let name = name.display().to_string();
    BackupError::Entry { operation, name, source: error.into() }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Of a file, at once. A hole is as long at least.
const PIECE: usize = 64 << 10;
/// Between two looks at the disk.
const LOOK_EVERY: u64 = 64 << 20;
/// One more than what a copy may have.
const DEEPEST: usize = 101;
/// An owner whose number no system has.
const NOBODY: u32 = 65534;
