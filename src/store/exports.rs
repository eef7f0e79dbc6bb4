//! The folder of exports that the store makes by itself, and how many of them stay.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::export::{ExportError, second};
use super::journal::sync_parent;

/// Why an export is made; each occasion has files of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Occasion {
    Hourly,
    BeforeUpgrade,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Exports {
    dir: PathBuf,
}

impl Exports {
    pub(super) fn of_store(dir: &Path) -> Self {
        Self { dir: folder(dir) }
    }

    /// Makes the folder and names a file in it. Names sort by time.
    pub(super) fn prepare(&self, why: Occasion, now: SystemTime) -> Result<PathBuf, ExportError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let made = builder.create(&self.dir).and_then(|()| sync_parent(&self.dir));
        made.map_err(|source| self.failed(source))?;
        self.name(why, now)
    }

    /// One of this occasion that is not yet due for another. Without it a daemon that is restarted
    /// again and again, exporting at each start, would push a day of exports out in minutes.
    pub(super) fn fresh(
        &self,
        why: Occasion,
        now: SystemTime,
    ) -> Result<Option<PathBuf>, ExportError> {
        let oldest = self.name(why, now.checked_sub(FRESH).unwrap_or(now))?;
        let newest = self.name(why, now)?;
        let files = self.list(why).map_err(|source| self.failed(source))?;
        Ok(files.into_iter().find(|file| *file > oldest && *file <= newest))
    }

    fn name(&self, why: Occasion, now: SystemTime) -> Result<PathBuf, ExportError> {
        let when = second(now)?.strftime("%Y%m%dT%H%M%SZ");
        Ok(self.dir.join(format!("{}-{when}.{EXTENSION}", why.name())))
    }

    /// Removes the oldest of this occasion beyond [`KEPT`].
    pub(super) fn prune(&self, why: Occasion) -> Result<(), ExportError> {
        let mut files = self.list(why).map_err(|source| self.failed(source))?;
        files.sort();
        for old in files.iter().rev().skip(KEPT) {
            fs::remove_file(old)
                .map_err(|source| ExportError::Write { path: old.clone(), source })?;
        }
        Ok(())
    }

    fn list(&self, why: Occasion) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let ours = name.starts_with(why.name());
            if ours && path.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push(path);
            }
        }
        Ok(files)
    }

    fn failed(&self, source: io::Error) -> ExportError {
        ExportError::Write { path: self.dir.clone(), source }
    }
}

impl Occasion {
    fn name(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::BeforeUpgrade => "before-upgrade",
        }
    }
}

/// Where a store keeps its exports.
pub(super) fn folder(dir: &Path) -> PathBuf {
    dir.join(FOLDER)
}

/// The folder's name inside the store's.
pub(super) const FOLDER: &str = "exports";
const EXTENSION: &str = "jsonl";
/// How many exports of each occasion stay: a day of hourly ones.
const KEPT: usize = 24;
/// How long an hourly export stands for the present; less than an hour, since a task that comes
/// every hour comes a little early at times.
const FRESH: Duration = Duration::from_mins(50);
