//! How much of the disk a build takes, looked at while it runs, and how much is left for all else.
//!
//! It works on any file system, without quotas: the free space is asked for twice a second, and the
//! folders are measured when that has shrunk by a part of what the build may take, or now and then.
//! So a build can go past its limit by what it writes in a moment, never by much. The rest of the
//! container is read-only or in memory. Invariant: nothing here follows a link or stops at names and
//! shapes that the exporter would refuse; what cannot be looked into is passed over.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use rustix::fs::{FileType, Stat};
use tokio::time::sleep;

use super::{error::BuildError, folder::Folder};
use crate::{clock, model::ByteSize};

/// What a build may take of the disk, and where it can.
#[derive(Debug, Clone)]
pub(super) struct DiskBound {
    /// The app's folders: all in them counts.
    pub(super) own: Vec<PathBuf>,
    /// The caches that builds share: what was written to them since the build began counts.
    pub(super) shared: PathBuf,
    /// The most for all of it together.
    pub(super) limit: ByteSize,
    /// What must stay free on the disk.
    pub(super) reserve: ByteSize,
}

impl DiskBound {
    /// Ends when the build has to, with why.
    pub(super) async fn passed(&self) -> BuildError {
        let began = clock::system();
        let Some(place) = self.own.first() else { return std::future::pending().await };
        let mut look = Pace::new(place.clone(), self.limit, self.reserve, SELDOM);
        loop {
            if let Err(low) = look.turn().await {
                return low;
            }
            let bound = self.clone();
            let measured = tokio::task::spawn_blocking(move || bound.taken(began)).await;
            if measured.is_ok_and(|taken| taken > self.limit.0) {
                return BuildError::Disk { limit: self.limit };
            }
        }
    }

    /// Whether nothing more could be written.
    pub(super) fn is_full(&self) -> bool {
        let space = self.own.first().and_then(|folder| Space::of(folder));
        space.is_some_and(|space| space.is_low(self.reserve) || space.free < FULL.0)
    }

    /// Bytes in the app's own folders, and those written to the shared ones since `began`.
    fn taken(&self, began: SystemTime) -> u64 {
        let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let began = i64::try_from(began).unwrap_or(i64::MAX);
        let own: u64 = self.own.iter().map(|folder| usage(folder)).sum();
        let new = |stat: &Stat| stat.st_ctime >= began;
        own.saturating_add(measure(&self.shared, &new))
    }
}

/// When it is worth to measure what a build takes.
#[derive(Debug)]
pub(super) struct Pace {
    place: PathBuf,
    step: u64,
    reserve: ByteSize,
    seldom: Duration,
    last: Option<(Instant, u64)>,
}

impl Pace {
    /// For a build that writes to `place` no more than `limit`: whenever a part of that is gone from
    /// the disk, and not more seldom than said.
    pub(super) fn new(
        place: PathBuf,
        limit: ByteSize,
        reserve: ByteSize,
        seldom: Duration,
    ) -> Self {
        Self { place, step: (limit.0 / 16).min(STEP.0), reserve, seldom, last: None }
    }

    /// Waits until it is; an error if the disk is low before.
    pub(super) async fn turn(&mut self) -> Result<(), BuildError> {
        loop {
            sleep(PERIOD).await;
            // Of a disk that cannot be asked, the time alone decides.
            let space = Space::of(&self.place);
            if space.is_some_and(|space| space.is_low(self.reserve)) {
                return Err(BuildError::DiskFull);
            }
            let free = space.map_or(u64::MAX, |space| space.free);
            let due = self.last.is_none_or(|(at, before)| {
                at.elapsed() > self.seldom || free.saturating_add(self.step) < before
            });
            if due {
                self.last = Some((Instant::now(), free));
                return Ok(());
            }
        }
    }
}

/// A disk, as far as builds are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// Bytes that can be written.
    pub(crate) free: u64,
    /// Bytes of the whole.
    pub(crate) size: u64,
}

impl Space {
    /// Of the disk that a folder is on.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let stat = rustix::fs::statvfs(folder).ok()?;
        let blocks = |count: u64| count.saturating_mul(stat.f_frsize);
        Some(Self { free: blocks(stat.f_bavail), size: blocks(stat.f_blocks) })
    }

    /// Whether less is left than should be. Of a small disk a twentieth is enough.
    pub(crate) fn is_low(self, reserve: ByteSize) -> bool {
        self.free < reserve.0.min(self.size / 20)
    }
}

/// What a folder takes on the disk, in bytes, whoever filled it: names that would hide files of an
/// image count, and every file counts at least for what it costs to have one. A file with several
/// names counts once for each.
pub(crate) fn usage(folder: &Path) -> u64 {
    measure(folder, &|_| true)
}

fn measure(folder: &Path, counts: &dyn Fn(&Stat) -> bool) -> u64 {
    Folder::open(folder).map_or(0, |root| below(&root, counts, 0))
}

fn below(folder: &Folder, counts: &dyn Fn(&Stat) -> bool, depth: usize) -> u64 {
    // A build that runs makes and removes files meanwhile.
    let names = folder.names().unwrap_or_default();
    names.iter().map(|name| of_entry(folder, name, counts, depth)).fold(0, u64::saturating_add)
}

fn of_entry(folder: &Folder, name: &OsStr, counts: &dyn Fn(&Stat) -> bool, depth: usize) -> u64 {
    let Ok(stat) = folder.stat(name) else { return 0 };
    let own = if counts(&stat) {
        u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512).saturating_add(INODE)
    } else {
        0
    };
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    // What is nested deeper is seen by the free space alone; no such tree becomes an image.
    let inner = if is_folder && depth < MAX_DEPTH { folder.folder(name).ok() } else { None };
    own.saturating_add(inner.map_or(0, |inner| below(&inner, counts, depth + 1)))
}

/// With less than this left, whatever fails has failed for that.
const FULL: ByteSize = ByteSize::mib(1);
/// Between two looks at the free space.
const PERIOD: Duration = Duration::from_millis(500);
/// The longest between two measurements, as others may free what the build takes.
const SELDOM: Duration = Duration::from_secs(30);
/// The most that may be written between two measurements.
const STEP: ByteSize = ByteSize::mib(256);
/// What having a file costs beside its contents.
const INODE: u64 = 512;
/// One open folder for each level.
const MAX_DEPTH: usize = 400;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn everything_counts_whatever_it_is_called_and_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let tree = home.path().join("tree");
        fs::create_dir_all(tree.join(".wh.hidden")).unwrap();
        fs::create_dir(home.path().join("outside")).unwrap();
        fs::write(home.path().join("outside/big"), vec![7; 4 << 20]).unwrap();
        std::os::unix::fs::symlink(home.path().join("outside"), tree.join("link")).unwrap();
        let empty = usage(&tree);
        assert!(empty < 64 << 10, "{empty}");
        fs::write(tree.join(".wh.hidden/.wh.file"), vec![7; 1 << 20]).unwrap();
        let sparse = fs::File::create(tree.join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let full = usage(&tree);
        assert!((1 << 20..2 << 20).contains(&full), "{full}");
        assert_eq!(usage(&home.path().join("absent")), 0);
    }

    #[test]
    fn of_shared_folders_only_what_is_new_counts() {
        let home = tempfile::tempdir().unwrap();
        let (own, shared) = (home.path().join("own"), home.path().join("shared"));
        fs::create_dir(&own).unwrap();
        fs::create_dir(&shared).unwrap();
        fs::write(own.join("a"), vec![7; 1 << 20]).unwrap();
        fs::write(shared.join("b"), vec![7; 1 << 20]).unwrap();
        let bound =
            DiskBound { own: vec![own], shared, limit: ByteSize::mib(1), reserve: ByteSize(0) };
        let (before, now) = (SystemTime::UNIX_EPOCH, clock::system());
        assert!(bound.taken(before) >= 2 << 20);
        assert!(bound.taken(now + Duration::from_hours(1)) < 2 << 20);
    }

    #[test]
    fn a_small_disk_keeps_a_twentieth_free() {
        let space = |free: u64, size: u64| Space { free: free << 20, size: size << 20 };
        let reserve = ByteSize::mib(1024);
        assert!(space(1023, 100_000).is_low(reserve));
        assert!(!space(1024, 100_000).is_low(reserve));
        assert!(!space(41, 800).is_low(reserve));
        assert!(space(39, 800).is_low(reserve));
    }
}
