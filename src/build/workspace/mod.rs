//! The folders of one app that builds work in, and what of them outlives a build.
//!
//! Below `<data>/apps/<app>/`: `workspace/` (the source, brought up to date file by file),
//! `layers/` (what buildpacks left), `buildpacks/` (those that it brings), `cache/` (compilers' caches), `run/` (the agent's socket) and
//! `previous.json` (what the last successful build was). Invariant: before a build the workspace is
//! exactly the source; a build that fails or dies takes nothing from the next one but time.

mod previous;
mod sync;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub(crate) use previous::{Known, Previous, Remembered};
pub(crate) use sync::sync;

use super::folder::{Folder, Owner};
use crate::model::AppName;

/// The folders of one app.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// Mounted at `/workspace`.
    pub(crate) source: PathBuf,
    /// Mounted at `/layers`.
    pub(crate) layers: PathBuf,
    /// Mounted at `/cache/app`.
    pub(crate) cache: PathBuf,
    /// Mounted at `/buildpacks`: what the app brings besides ours.
    pub(crate) buildpacks: PathBuf,
    /// Mounted where the agent finds its socket.
    pub(crate) run: PathBuf,
    /// Whose all that is.
    pub(crate) owner: Owner,
    /// What the last successful build was.
    previous: PathBuf,
    /// What the last build of all stood on.
    base: PathBuf,
}

impl Workspace {
    /// Where an app's folders are; nothing is made.
    pub(crate) fn at(apps: &Path, app: &AppName) -> Self {
        let home = apps.join(app.as_str());
        let [source, layers, cache, buildpacks] = Self::folders(&home);
        let (run, previous, base) = (home.join("run"), Self::record(&home), home.join(BASE));
        Self { source, layers, cache, buildpacks, run, owner: Owner::APP, previous, base }
    }

    /// Makes what is missing of an app's folders.
    pub(crate) fn open(apps: &Path, app: &AppName, owner: Owner) -> io::Result<Self> {
        let workspace = Self { owner, ..Self::at(apps, app) };
        let Self { source, layers, cache, buildpacks, run, .. } = &workspace;
        for folder in [source, layers, cache, buildpacks, run] {
            make(folder, owner)?;
        }
        Ok(workspace)
    }

    /// Empties what builds filled that stood on something else than `base`: neither layers nor caches
    /// of another distribution or another user are of use. Says whether there was anything.
    pub(crate) fn suit(&self, base: &str) -> io::Result<Suited> {
        let last = match fs::read_to_string(&self.base) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        if last == base {
            return Ok(Suited::Already);
        }
        let built = self.previous.exists();
        self.clear()?;
        fs::write(&self.base, base)?;
        Ok(if built { Suited::Emptied } else { Suited::Already })
    }

    /// Those with something in them, in an app's home.
    pub(crate) fn folders(home: &Path) -> [PathBuf; 4] {
        ["workspace", "layers", "cache", "buildpacks"].map(|name| home.join(name))
    }

    /// Where the last successful build is noted.
    pub(crate) fn record(home: &Path) -> PathBuf {
        home.join(previous::FILE)
    }

    /// The folders that a build makes larger.
    pub(crate) fn grows(&self) -> [&Path; 3] {
        [&self.source, &self.layers, &self.cache]
    }

    /// Forgets the last build and empties what builds fill. No build of the app may run.
    pub(crate) fn clear(&self) -> io::Result<()> {
        // First of all, so that nobody believes in layers that are half gone; and without a byte,
        // because the disk may be full.
        match fs::remove_file(&self.previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for folder in self.grows() {
            let folder = match Folder::open(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            for name in folder.names()? {
                folder.remove(&name)?;
            }
        }
        Ok(())
    }

    /// What the last successful build left; nothing if that cannot be read, which costs the next
    /// build its head start and no more.
    pub(crate) fn previous(&self) -> Previous {
        Previous::read(&self.previous)
    }

    /// Keeps what this build was, for the next one.
    pub(crate) fn remember(&self, previous: &Previous) -> io::Result<()> {
        previous.write(&self.previous)
    }
}

/// Whether an app's folders had to be emptied for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suited {
    /// They are of use, or were empty.
    Already,
    /// Layers and caches are gone.
    Emptied,
}

/// A folder of that owner, unless it is there.
pub(crate) fn make(folder: &Path, owner: Owner) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    Folder::open(folder)?.of(owner).own()
}

/// The file that says what the last build stood on; without it, our own base image.
const BASE: &str = "base";

#[cfg(test)]
mod tests;
