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
        let workspace = Self {
            source: home.join("workspace"),
            layers: home.join("layers"),
            cache: home.join("cache"),
            buildpacks: home.join("buildpacks"),
            run: home.join("run"),
            previous: home.join(previous::FILE),
        };
        let Self { source, layers, cache, buildpacks, run, .. } = &workspace;
        for folder in [source, layers, cache, buildpacks, run] {
            make(folder)?;
        }
        Ok(workspace)
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
