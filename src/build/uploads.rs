//! Where uploaded trees wait for their builds: `<apps>/<app>/uploads/<digest>`.
//!
//! A tree is received under a temporary name and gets its place whole or not at all. Equal uploads
//! share one place. Trees that no build waits for are removed by [`BuildFolders::sweep`], but for the
//! last one of an app, which the next upload may refer to.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    build::unpack::{INDEX, Index, Source, discard},
    model::{AppName, SourceDigest},
};

/// The folders with one folder per app: its uploads and build records, and its build cache.
#[derive(Debug, Clone)]
pub struct BuildFolders {
    apps: PathBuf,
    cache: PathBuf,
    variants: PathBuf,
}

/// A tree that is being received. Dropping it removes what was received.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    uploads: PathBuf,
    kept: bool,
}

impl BuildFolders {
    /// Of the data folder at `data`.
    pub fn new(data: &Path) -> Self {
        Self { apps: data.join("apps"), cache: data.join("cache"), variants: data.join("variants") }
    }

    /// The folder of uploads and build records.
    pub fn apps(&self) -> &Path {
        &self.apps
    }

    /// The folder of base images with packages.
    pub fn variants(&self) -> &Path {
        &self.variants
    }

    /// Where a tree of that digest waits.
    pub fn source(&self, app: &AppName, digest: &SourceDigest) -> PathBuf {
        self.uploads(app).join(place(digest))
    }

    /// A place for a tree that is about to be received; the folder itself is not there yet.
    pub fn incoming(&self, app: &AppName) -> io::Result<Incoming> {
        let uploads = self.uploads(app);
        fs::create_dir_all(&uploads)?;
        let path = uploads.join(format!("{INCOMING}{:016x}", rand::random::<u64>()));
        Ok(Incoming { path, uploads, kept: false })
    }

    /// Removes the trees of an app that are not among `wanted`. A tree that came in the last
    /// minutes stays: its build may be about to be recorded.
    pub fn sweep(&self, app: &AppName, wanted: &BTreeSet<SourceDigest>, now: SystemTime) {
        let uploads = self.uploads(app);
        let wanted =
            wanted.iter().map(place).chain([INDEX.to_owned()]).chain(Index::tree(&uploads));
        let wanted: BTreeSet<OsString> = wanted.map(OsString::from).collect();
        let Ok(entries) = fs::read_dir(uploads) else { return };
        for entry in entries.flatten() {
            let age = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let age = age.and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > FRESH) && !wanted.contains(&entry.file_name()) {
                discard(&entry.path());
            }
        }
    }

    /// Removes all that builds keep of an app on this machine, images aside.
    pub fn forget(&self, app: &AppName) {
        for folder in [&self.apps, &self.cache] {
            let folder = folder.join(app.as_str());
            if folder.exists() {
                discard(&folder);
            }
        }
    }

    /// The folder of an app's uploads.
    pub fn uploads(&self, app: &AppName) -> PathBuf {
        self.apps.join(app.as_str()).join("uploads")
    }
}

impl Incoming {
    /// Where to unpack to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the tree its place. From here on the next upload may refer to it.
    pub fn keep(self, source: &Source) -> io::Result<()> {
        let (uploads, name) = (self.uploads.clone(), place(&source.digest));
        self.settle(&uploads.join(&name))?;
        source.index.keep(&uploads, &name)
    }

    fn settle(mut self, place: &Path) -> io::Result<()> {
        if place.exists() {
            // Equal contents: the one that waits already will do. Its age begins anew.
            return fs::File::open(place)?.set_modified(now(&self.path)?);
        }
        // The folder's own time was set while it was filled; from here its age counts.
        fs::rename(&self.path, place)?;
        self.kept = true;
        fs::File::open(&self.uploads)?.sync_all()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept && self.path.exists() {
            discard(&self.path);
        }
    }
}

/// The time of something that was just written, by the clock of the file system.
fn now(fresh: &Path) -> io::Result<SystemTime> {
    fs::metadata(fresh)?.modified()
}

fn place(digest: &SourceDigest) -> String {
    digest.as_str().replace(':', "-")
}

const INCOMING: &str = "incoming-";

/// How long an upload may take from its first byte to its record.
const FRESH: Duration = Duration::from_mins(30);
