//! What is remembered of an app's last successful build, in one small file.
//!
//! Invariant: the file is replaced whole (write, fsync, rename, fsync), so a reader sees the last
//! build or the one before, never half of one. It holds no contents, only what tells whether the
//! folders are still as that build left them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use buildpacks::{agent::PreviousBuild, packages::Package};
use serde::{Deserialize, Serialize};

use crate::model::ImageId;

/// The last successful build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Previous {
    /// The version of this file's shape.
    version: u32,
    /// What the agent may restore.
    pub(crate) agent: PreviousBuild,
    /// The image that it made.
    pub(crate) image: Option<ImageId>,
    /// Its layers, by the path in the image, for instance `/layers/paas_nodejs/modules`.
    pub(crate) layers: BTreeMap<String, Remembered>,
    /// The packages that its build image had beyond the base.
    #[serde(default)]
    pub(crate) packages: BTreeSet<Package>,
    /// The keys of the variants that it was built in and stands on.
    #[serde(default)]
    pub(crate) variants: BTreeSet<String>,
}

/// A layer of the last build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// The digest of its files' stat data: equal means that nothing was touched.
    pub(crate) manifest: String,
    /// What it was in the image; `None` if it was kept only for later builds.
    pub(crate) exported: Option<Known>,
}

/// A layer's tar, without the tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// `sha256:…` of the uncompressed tar.
    pub(crate) diff_id: String,
    /// The tar's size in bytes.
    pub(crate) size: u64,
}

impl Previous {
    /// For a build that just succeeded.
    pub(crate) fn new(
        agent: PreviousBuild,
        image: ImageId,
        layers: BTreeMap<String, Remembered>,
    ) -> Self {
        let (packages, variants) = (BTreeSet::new(), BTreeSet::new());
        Self { version: VERSION, agent, image: Some(image), layers, packages, variants }
    }

    /// Whatever is remembered below an app's folder.
    pub(crate) fn of_app(home: &Path) -> Self {
        Self::read(&home.join(FILE))
    }

    /// Leaves out a layer (by its path in the image), because nobody knows what is in it.
    pub(crate) fn forget(&mut self, key: &str) {
        self.layers.remove(key);
        for buildpack in &mut self.agent.buildpacks {
            let folder = format!("/layers/{}/", buildpack.id.replace('/', "_"));
            if let Some(name) = key.strip_prefix(&folder) {
                buildpack.layers.remove(name);
            }
        }
    }

    /// Reads the file; a missing, torn or newer one is no build at all.
    pub(super) fn read(path: &Path) -> Self {
        let parsed = fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        parsed.filter(|previous: &Self| previous.version == VERSION).unwrap_or_default()
    }

    /// Writes the file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(parent)?.sync_all()
    }
}

/// Its name in the app's folder.
pub(super) const FILE: &str = "previous.json";
const VERSION: u32 = 1;
