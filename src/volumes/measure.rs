//! How many bytes a folder takes of the disk. Bounded: what cannot be looked at in time is not counted,
//! and the answer says so.

use std::{
    collections::HashSet,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};

use crate::model::ByteSize;

/// The space that a folder and all in it take; `None` if that could not be found out, within a time.
/// A file of several names counts once. It blocks.
pub fn measure(folder: &Path) -> Option<ByteSize> {
    let root = fs::open(folder, FOLDER, Mode::empty()).ok()?;
    let mut walk = Walk { end: Instant::now() + LONGEST, bytes: 0, twice: HashSet::new() };
    walk.folder(&root, DEEPEST)?;
    Some(ByteSize(walk.bytes))
}

struct Walk {
    end: Instant,
    bytes: u64,
    /// Files of several names that are counted already, by device and number.
    twice: HashSet<(u64, u64)>,
}

impl Walk {
    fn folder(&mut self, folder: &OwnedFd, deep: u32) -> Option<()> {
        if Instant::now() >= self.end || deep == 0 {
            return None;
        }
        for entry in fs::Dir::read_from(folder).ok()?.flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            // Whoever writes there may take it away meanwhile.
            let Ok(stat) = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let several = stat.st_nlink > 1 && FileType::from_raw_mode(stat.st_mode).is_file();
            if several
                && (self.twice.len() >= MOST_TWICE
                    || !self.twice.insert((stat.st_dev, stat.st_ino)))
            {
                continue;
            }
            self.bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
            if FileType::from_raw_mode(stat.st_mode).is_dir()
                && let Ok(inner) = fs::openat(folder, name, FOLDER, Mode::empty())
            {
                self.folder(&inner, deep - 1)?;
            }
        }
        Some(())
    }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Some millions of files of a disk that is not busy.
const LONGEST: Duration = Duration::from_secs(20);
/// Each level is an open file.
const DEEPEST: u32 = 100;
/// Files of several names that are remembered; of more than that the rest is not counted.
const MOST_TWICE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed_and_names_of_one_file_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let before = measure(root).unwrap().0;
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/file"), vec![1; 1 << 20]).unwrap();
        std::fs::hard_link(root.join("a/b/file"), root.join("same")).unwrap();
        std::os::unix::fs::symlink("/", root.join("all")).unwrap();
        let grown = measure(root).unwrap().0 - before;
        assert!((1 << 20..1 << 21).contains(&grown), "{grown}");
        assert_eq!(measure(&root.join("all")), None);
    }
}
