//! What is remembered of a stack: `manifest.json` beside the tars.
//!
//! It is written last and by rename, so it is the commit: tars without it do not exist. Version 1
//! of the format; fields are only ever added.

use super::ensure::StackSet;
use super::rootfs::Rootfs;
use super::{DISTRO_NAME, DISTRO_VERSION, SUITE};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    version: u32,
    suite: String,
    recipe: String,
    made_how: String,
    run: Entry,
    build: Entry,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    file: String,
    diff_id: String,
    size: u64,
    packages: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn new(recipe: &str, set: &StackSet) -> Self {
        Self {
            version: VERSION,
            suite: SUITE.into(),
            recipe: recipe.into(),
            made_how: set.made_how.clone(),
            run: Entry::new(&set.run),
            build: Entry::new(&set.build),
        }
    }

    /// The set that was made by this recipe, if it is all there.
    pub(crate) fn load(dir: &Path, recipe: &str) -> Option<StackSet> {
        let text = fs::read(dir.join(FILE)).ok()?;
        let manifest: Self = serde_json::from_slice(&text).ok()?;
        let current = manifest.version == VERSION && manifest.recipe == recipe;
        if !current {
            return None;
        }
        Some(StackSet {
            run: manifest.run.rootfs(dir)?,
            build: manifest.build.rootfs(dir)?,
            distro_name: DISTRO_NAME,
            distro_version: DISTRO_VERSION,
            made_how: manifest.made_how,
        })
    }

    /// Writes it: write, sync, rename, sync.
    pub(crate) fn save(&self, dir: &Path) -> io::Result<()> {
        let unfinished = dir.join(".unfinished-manifest");
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, dir.join(FILE))?;
        File::open(dir)?.sync_all()
    }
}

impl Entry {
    fn new(rootfs: &Rootfs) -> Self {
        let file = rootfs.tar.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Rootfs { diff_id, size, packages, .. } = rootfs.clone();
        Self { file, diff_id, size, packages }
    }

    fn rootfs(self, dir: &Path) -> Option<Rootfs> {
        let tar = dir.join(&self.file);
        let whole = fs::metadata(&tar).is_ok_and(|meta| meta.len() == self.size);
        let Self { diff_id, size, packages, .. } = self;
        whole.then_some(Rootfs { tar, diff_id, size, packages })
    }
}

const VERSION: u32 = 1;
pub(crate) const FILE: &str = "manifest.json";
