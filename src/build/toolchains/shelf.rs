//! The folder in which finished toolchains stand: `<name>-<version>/`, read by every build.
//!
//! Not here: how one is made. Invariant: what has its final name is whole. It is filled under a
//! name that starts with a dot and renamed. Ten thousand files reach the disk long after that, so
//! a mark is written once they have; at open, a folder without its mark may have lost files in a
//! power cut and is removed. Nobody waits for the disk, and nothing half-made is ever used.

use super::number::Number;
use super::wire::Toolchain;
use crate::{build::disk::usage, clock};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The shelf of one host.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    next: AtomicU64,
}

impl Shelf {
    /// Opens the folder, makes it if need be, and removes what was never finished.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let doubtful = !name.starts_with('.') && !mark(dir, &name).exists();
            if entry.file_type()?.is_dir() && (doubtful || name.starts_with(UNFINISHED)) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self { dir: dir.to_owned(), next: AtomicU64::new(0) })
    }

    /// The folder of a version, if it is there.
    pub(crate) fn find(&self, toolchain: Toolchain, version: &str) -> Option<PathBuf> {
        let path = self.dir.join(folder(toolchain, version));
        path.is_dir().then_some(path)
    }

    /// The versions of one toolchain that are there.
    pub(crate) fn versions(&self, toolchain: Toolchain) -> Vec<String> {
        let names = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        names
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix(toolchain.name())?.strip_prefix('-')?;
                Number::parse(version).map(|_| version.to_owned())
            })
            .collect()
    }

    /// How many toolchains stand here.
    pub(crate) fn len(&self) -> usize {
        let names = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        names.filter(|entry| entry.path().is_dir()).count()
    }

    /// Waits until a finished folder is on the disk and marks it so.
    pub(crate) fn settle(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // One call for ten thousand files; syncing each would take longer than the download.
        rustix::fs::syncfs(File::open(path)?)?;
        File::create(mark(&self.dir, &name))?.sync_all()?;
        File::open(&self.dir)?.sync_all()
    }

    /// Notes that a version is handed out now.
    pub(crate) fn used(&self, toolchain: Toolchain, version: &str) {
        let mark = File::options().write(true).open(mark(&self.dir, &folder(toolchain, version)));
        // One that is not settled yet has just come.
        if let Err(error) = mark.and_then(|mark| mark.set_modified(clock::system()))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(%toolchain, version, %error, "its use is not noted");
        }
    }

    /// Removes what was handed out last before `since`, and of the rest what was so longest ago,
    /// until they take `most` bytes together. No build may use any of them.
    pub(crate) fn evict(&self, since: Option<SystemTime>, most: u64) {
        let mut settled = self.settled();
        settled.sort_by_key(|(used, _)| *used);
        let mut total: u64 = settled.iter().map(|(_, name)| usage(&self.dir.join(name))).sum();
        for (used, name) in settled {
            if total <= most && since.is_none_or(|since| used >= since) {
                continue;
            }
            let size = usage(&self.dir.join(&name));
            match self.remove(&name) {
                Ok(()) => tracing::info!(toolchain = name, size, "a toolchain is given back"),
                Err(error) => tracing::warn!(toolchain = name, %error, "a toolchain stays"),
            }
            total = total.saturating_sub(size);
        }
    }

    /// What all of it takes, in bytes.
    pub(crate) fn size(&self) -> u64 {
        usage(&self.dir)
    }

    /// The names of what is whole on the disk, and when each was handed out last.
    fn settled(&self) -> Vec<(SystemTime, String)> {
        let marks = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        marks
            .filter_map(|mark| {
                let name = mark.file_name().into_string().ok()?;
                let name = name.strip_prefix(SETTLED)?.to_owned();
                Some((mark.metadata().ok()?.modified().ok()?, name))
            })
            .collect()
    }

    /// Without its mark first: a folder that is half gone is removed at the next start.
    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(mark(&self.dir, name))?;
        let doomed = self.dir.join(format!("{UNFINISHED}evicted-{name}"));
        fs::rename(self.dir.join(name), &doomed)?;
        fs::remove_dir_all(doomed)
    }

    /// An empty, hidden folder to fill.
    pub(crate) fn begin(&self, toolchain: Toolchain, version: &str) -> io::Result<Unfinished> {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{UNFINISHED}{count}-{}", folder(toolchain, version)));
        DirBuilder::new().mode(0o755).create(&path)?;
        Ok(Unfinished { path, shelf: self.dir.clone(), name: folder(toolchain, version) })
    }
}

/// A folder being filled; dropped unfinished, it is removed.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    shelf: PathBuf,
    name: String,
}

impl Unfinished {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its name; [`Shelf::settle`] is to follow.
    pub(crate) fn finish(self) -> io::Result<PathBuf> {
        open_modes(&self.path)?;
        let place = self.shelf.join(&self.name);
        fs::rename(&self.path, &place)?;
        Ok(place)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already after `finish`; otherwise the next open tries again.
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "unfinished toolchain not removed");
        }
    }
}

/// Folders are 0755 whatever the daemon's umask is, because builds run as another user.
fn open_modes(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            open_modes(&entry.path())?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode();
            let wanted = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
            if mode & 0o777 != wanted {
                fs::set_permissions(entry.path(), fs::Permissions::from_mode(wanted))?;
            }
        }
    }
    Ok(())
}

fn folder(toolchain: Toolchain, version: &str) -> String {
    format!("{toolchain}-{version}")
}

fn mark(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{SETTLED}{name}"))
}

const SETTLED: &str = ".settled-";

const UNFINISHED: &str = ".unfinished-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_finished_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path()).unwrap();
        let begun = shelf.begin(Toolchain::Go, "1.22.1").unwrap();
        fs::write(begun.path().join("VERSION"), "go").unwrap();
        assert!(shelf.find(Toolchain::Go, "1.22.1").is_none());
        begun.finish().unwrap();
        assert!(shelf.find(Toolchain::Go, "1.22.1").is_some());
        assert_eq!(shelf.versions(Toolchain::Go), ["1.22.1"]);
        drop(shelf.begin(Toolchain::Go, "1.22.2").unwrap());
        assert_eq!(shelf.len(), 1);
    }

    #[test]
    fn what_nobody_asks_for_goes_and_the_least_recent_before_others() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path()).unwrap();
        for version in ["20.1.0", "20.2.0", "20.3.0"] {
            let begun = shelf.begin(Toolchain::Node, version).unwrap();
            fs::write(begun.path().join("node"), vec![7; 1 << 20]).unwrap();
            shelf.settle(&begun.finish().unwrap()).unwrap();
        }
        // One that is just being fetched is not looked at.
        let fresh = shelf.begin(Toolchain::Go, "1.22.1").unwrap().finish().unwrap();
        let past = SystemTime::UNIX_EPOCH;
        let date = |version: &str, at| {
            let mark = mark(dir.path(), &folder(Toolchain::Node, version));
            File::options().write(true).open(mark).unwrap().set_modified(at).unwrap();
        };
        let day = std::time::Duration::from_hours(24);
        date("20.1.0", past + day);
        date("20.2.0", past + day * 3);
        date("20.3.0", past + day * 2);
        shelf.evict(Some(past + day), u64::MAX);
        assert_eq!(shelf.versions(Toolchain::Node).len(), 3);
        shelf.evict(Some(past + day * 2), u64::MAX);
        let left = || {
            let mut left = shelf.versions(Toolchain::Node);
            left.sort();
            left
        };
        assert_eq!(left(), ["20.2.0", "20.3.0"]);
        shelf.used(Toolchain::Node, "20.3.0");
        shelf.evict(Some(past), (1 << 20) + (64 << 10));
        assert_eq!(left(), ["20.3.0"]);
        shelf.evict(None, 0);
        assert_eq!((left().len(), fresh.is_dir()), (0, true));
        assert!(shelf.size() < 64 << 10);
    }

    #[test]
    fn what_a_crash_leaves_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path()).unwrap();
        std::mem::forget(shelf.begin(Toolchain::Node, "20.1.0").unwrap());
        let settled = shelf.begin(Toolchain::Node, "20.2.0").unwrap().finish().unwrap();
        shelf.settle(&settled).unwrap();
        shelf.begin(Toolchain::Node, "20.3.0").unwrap().finish().unwrap();
        assert_eq!(shelf.len(), 3);
        let reopened = Shelf::open(dir.path()).unwrap();
        assert_eq!(reopened.versions(Toolchain::Node), ["20.2.0"]);
        assert_eq!(reopened.len(), 1);
    }
}
