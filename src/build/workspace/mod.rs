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

use super::folder::{Folder, own};
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
    /// What the last successful build was.
    previous: PathBuf,
}

impl Workspace {
    /// Makes what is missing of an app's folders.
    pub(crate) fn open(apps: &Path, app: &AppName) -> io::Result<Self> {
        let home = apps.join(app.as_str());
        fs::create_dir_all(&home)?;
        let [source, layers, cache, buildpacks] = Self::folders(&home);
        let run = home.join("run");
        let workspace =
            Self { source, layers, cache, buildpacks, run, previous: Self::record(&home) };
        let Self { source, layers, cache, buildpacks, run, .. } = &workspace;
        for folder in [source, layers, cache, buildpacks, run] {
            make(folder)?;
        }
        Ok(workspace)
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
            let folder = Folder::open(folder)?;
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

/// A folder of the app's user, unless it is there.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    own(Folder::open(folder)?.descriptor())
}

#[cfg(test)]
mod tests;
