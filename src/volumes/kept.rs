//! Snapshots on the disk, and the exchange of what is in a volume: `snapshots/s3` beside `data`, `next`
//! for what is about to take its place, and `outgoing` for what a backup is sent from.
//!
//! Invariant: what has its name is whole; what is being copied has another one, and is begun anew after
//! a crash.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use super::{
    CopyError, FolderError, VolumeFolders,
    copy::copy,
    folders::{failed, flush, private, settle},
};
use crate::model::{AppName, ByteSize, SnapshotNumber, Timestamp, VolumeName};

/// A copy that was made, and has its name once it is settled.
#[derive(Debug)]
#[must_use]
pub struct Copied {
    /// Where it is; `None` if it has its name already.
    part: Option<PathBuf>,
    whole: PathBuf,
}

impl Copied {
    /// Waits until all of it is on the disk, and gives it its name. It blocks.
    pub fn settle(self) -> Result<PathBuf, FolderError> {
        if let Some(part) = &self.part {
            let named = flush(part).and_then(|()| {
                settle(part, &self.whole).map_err(failed("given its name", &self.whole))
            });
            if named.is_err() {
                // The next one has another name, and would not come by here.
                fs::remove_dir_all(part).ok();
            }
            named?;
        }
        Ok(self.whole)
    }

    /// Whether it was made before, and is whole.
    pub fn was_there(&self) -> bool {
        self.part.is_none()
    }
}

impl VolumeFolders {
    /// Copies what is in a volume for a snapshot, unless that is there. It blocks, and somebody may stand
    /// still meanwhile: what can be done afterwards is left to [`Copied::settle`].
    pub fn keep(
        &self,
        app: &AppName,
        volume: &VolumeName,
        number: SnapshotNumber,
        reserve: ByteSize,
        stop: &AtomicBool,
    ) -> Result<Copied, CopyError> {
        let data = self.open(app, volume)?;
        self.copied(&data, self.snapshot(app, volume, number), reserve, stop)
    }

    /// Copies a snapshot to what is about to take the place of what is in its volume, unless it is
    /// there. It blocks.
    pub fn fetch(
        &self,
        app: &AppName,
        volume: &VolumeName,
        from: SnapshotNumber,
        reserve: ByteSize,
        stop: &AtomicBool,
    ) -> Result<Copied, CopyError> {
        let snapshot = self.snapshot(app, volume, from);
        self.copied(&snapshot, self.of(app, volume).join(NEXT), reserve, stop)
    }

    /// Fills what is about to take the place of what is in a volume, unless it is there; `fill` gets an
    /// empty folder. It blocks.
    pub fn bring<E: From<FolderError>>(
        &self,
        app: &AppName,
        volume: &VolumeName,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let filled = |part: &Path| {
            fs::create_dir(part).map_err(failed("made", part))?;
            fill(part)
        };
        let copied = self.filled(self.of(app, volume).join(NEXT), filled)?;
        Ok(copied.settle().map(drop)?)
    }

    /// Copies what is in a volume to where a backup is sent from, unless it is there. It blocks, as
    /// [`VolumeFolders::keep`] does.
    pub fn ship(
        &self,
        app: &AppName,
        volume: &VolumeName,
        at: Timestamp,
        reserve: ByteSize,
        stop: &AtomicBool,
    ) -> Result<Copied, CopyError> {
        let data = self.open(app, volume)?;
        self.copied(&data, self.outgoing(app, volume, at), reserve, stop)
    }

    /// Where a backup of that moment is sent from.
    pub fn outgoing(&self, app: &AppName, volume: &VolumeName, at: Timestamp) -> PathBuf {
        self.of(app, volume).join(OUTGOING).join(at.as_millis().to_string())
    }

    /// Takes away all that backups of a volume were to be sent from.
    pub fn discard_outgoing(&self, app: &AppName, volume: &VolumeName) -> Result<(), FolderError> {
        let folder = self.of(app, volume).join(OUTGOING);
        self.aside(&folder, &format!("{app}.{volume}.{OUTGOING}"))
    }

    /// Takes a copy away that is not to have its name.
    pub fn give_up(&self, copied: Copied) -> Result<(), FolderError> {
        copied.part.map_or(Ok(()), |part| self.aside(&part, PART))
    }

    fn copied(
        &self,
        from: &Path,
        whole: PathBuf,
        reserve: ByteSize,
        stop: &AtomicBool,
    ) -> Result<Copied, CopyError> {
        self.filled(whole, |part| copy(from, part, reserve, stop))
    }

    /// What `fill` makes has its name once it is settled, unless it is there already.
    fn filled<E: From<FolderError>>(
        &self,
        whole: PathBuf,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Copied, E> {
        if whole.exists() {
            return Ok(Copied { part: None, whole });
        }
        let part = whole.with_extension(PART);
        // What is left of an earlier one is moved and not removed, which may take long.
        self.aside(&part, PART)?;
        let folder = part.parent().unwrap_or(&part);
        private().create(folder).map_err(failed("made", folder))?;
        if let Err(error) = fill(&part) {
            // If it stays where it is, it is in nobody's way.
            self.aside(&part, PART).ok();
            return Err(error);
        }
        Ok(Copied { part: Some(part), whole })
    }

    /// Makes what is in a volume a snapshot, if something else is about to take its place.
    pub fn put_by(
        &self,
        app: &AppName,
        volume: &VolumeName,
        kept: SnapshotNumber,
    ) -> Result<(), FolderError> {
        let (data, snapshot) = (self.data(app, volume), self.snapshot(app, volume, kept));
        let comes = self.of(app, volume).join(NEXT).exists();
        if !comes || snapshot.exists() || !data.exists() {
            return Ok(());
        }
        let folder = snapshot.parent().unwrap_or(&snapshot);
        private().create(folder).map_err(failed("made", folder))?;
        settle(&data, &snapshot).map_err(failed("put by", &data))
    }

    /// Gives what is about to take it its place. Nothing that is about to is fine: it has it.
    pub fn take_next(&self, app: &AppName, volume: &VolumeName) -> Result<(), FolderError> {
        let next = self.of(app, volume).join(NEXT);
        if !next.exists() {
            return Ok(());
        }
        settle(&next, &self.data(app, volume)).map_err(failed("given its place", &next))
    }

    /// Takes a snapshot away.
    pub fn discard_snapshot(
        &self,
        app: &AppName,
        volume: &VolumeName,
        number: SnapshotNumber,
    ) -> Result<(), FolderError> {
        let folder = self.snapshot(app, volume, number);
        self.aside(&folder, &format!("{app}.{volume}.{number}"))
    }

    fn snapshot(&self, app: &AppName, volume: &VolumeName, number: SnapshotNumber) -> PathBuf {
        self.of(app, volume).join("snapshots").join(number.to_string())
    }
}

const NEXT: &str = "next";
/// What is being copied.
const PART: &str = "part";
const OUTGOING: &str = "outgoing";

#[cfg(test)]
mod tests {
    use super::*;

    static GO_ON: AtomicBool = AtomicBool::new(false);

    /// Restores `s1`, dying after so many of the renames, and then once more as after a crash.
    fn restored_after(renames: u32) {
        let home = tempfile::tempdir().unwrap();
        let folders = VolumeFolders::new(home.path());
        let (app, volume): (AppName, VolumeName) =
            ("shop".parse().unwrap(), "data".parse().unwrap());
        let file = folders.data(&app, &volume).join("file");
        let (first, second) = (SnapshotNumber(1), SnapshotNumber(2));
        folders.keep(&app, &volume, first, ByteSize(0), &GO_ON).unwrap().settle().unwrap();
        fs::write(&file, "old").unwrap();
        // It is there already, and stays as it is.
        folders.keep(&app, &volume, first, ByteSize(0), &GO_ON).unwrap().settle().unwrap();
        folders.fetch(&app, &volume, first, ByteSize(0), &GO_ON).unwrap().settle().unwrap();
        if renames > 0 {
            folders.put_by(&app, &volume, second).unwrap();
        }
        if renames > 1 {
            folders.take_next(&app, &volume).unwrap();
        }
        folders.put_by(&app, &volume, second).unwrap();
        folders.take_next(&app, &volume).unwrap();
        assert!(folders.data(&app, &volume).is_dir() && !file.exists(), "{renames}");
        let put_by = folders.snapshot(&app, &volume, second).join("file");
        assert_eq!(fs::read_to_string(put_by).unwrap(), "old", "{renames}");
        let left = fs::read_dir(folders.of(&app, &volume)).unwrap().count();
        assert_eq!(left, 2, "data and snapshots");
        folders.discard_snapshot(&app, &volume, second).unwrap();
        assert!(!folders.snapshot(&app, &volume, second).exists());
    }

    #[test]
    fn a_restore_that_is_cut_anywhere_is_brought_to_its_end() {
        for renames in 0..3 {
            restored_after(renames);
        }
    }

    #[test]
    fn what_does_not_fit_or_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let folders = VolumeFolders::new(home.path());
        let (app, volume): (AppName, VolumeName) =
            ("shop".parse().unwrap(), "data".parse().unwrap());
        let number = SnapshotNumber(1);
        folders.keep(&app, &volume, number, ByteSize(0), &GO_ON).unwrap().settle().unwrap();
        fs::write(folders.data(&app, &volume).join("file"), "text").unwrap();
        let second = SnapshotNumber(2);
        let full = folders.keep(&app, &volume, second, ByteSize(u64::MAX), &GO_ON);
        assert!(matches!(full, Err(CopyError::Full { .. })), "{full:?}");
        let snapshots = folders.of(&app, &volume).join("snapshots");
        assert_eq!(fs::read_dir(&snapshots).unwrap().count(), 1);
        let copied = folders.keep(&app, &volume, second, ByteSize(0), &GO_ON).unwrap();
        assert!(!snapshots.join("s2").exists(), "before it is settled it has no name");
        folders.give_up(copied).unwrap();
        assert_eq!(fs::read_dir(snapshots).unwrap().count(), 1);
    }
}
