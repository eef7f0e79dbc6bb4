//! The base images: the stack's root filesystems, known to Docker.
//!
//! An image of one layer that is the root filesystem's tar. It is loaded once; as everything about
//! it follows from the tar's digest and the settings, its id is known before Docker is asked.

use std::{collections::BTreeMap, fs::File, path::PathBuf, sync::Arc};

use serde_json::json;

use super::{
    export::{Archive, Blob, CREATED, ExportError},
    workspace::Known,
};
use crate::{engine::BuildEngine, model::ImageId};

/// A root filesystem that is to become an image.
#[derive(Debug, Clone)]
pub struct Rootfs {
    /// Its tar, uncompressed.
    pub tar: PathBuf,
    /// `sha256:…` of the tar.
    pub diff_id: String,
    /// What it is called: `run` or `build`.
    pub role: String,
    /// What it was made by, in a few characters that are fit for a tag.
    pub recipe: String,
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// `PATH`, `CNB_STACK_ID` and the like.
    pub environment: BTreeMap<String, String>,
}

/// An image of the stack that Docker has.
#[derive(Debug, Clone)]
pub struct BaseImage {
    /// Which.
    pub id: ImageId,
    /// Its name, `paas/run:<recipe>`.
    pub reference: String,
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// `uid:gid` of whoever runs in it.
    pub user: String,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Its layers, lowest first.
    pub(crate) layers: Vec<Known>,
    /// The tar of its only layer, for an engine that has lost it.
    pub(crate) tar: PathBuf,
}

/// Makes a root filesystem an image, unless Docker has it.
pub async fn load_base<E: BuildEngine>(
    engine: &E,
    installation: &str,
    rootfs: Rootfs,
) -> Result<BaseImage, ExportError> {
    let read = |error| ExportError::Read { path: rootfs.tar.display().to_string(), source: error };
    let file = File::open(&rootfs.tar).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    let known = Known { diff_id: rootfs.diff_id, size };
    let reference = format!("paas/{}:{}", rootfs.role, rootfs.recipe);
    let environment: Vec<_> =
        rootfs.environment.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let configuration = json!({
        "architecture": rootfs.architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "User": USER,
            "Env": environment,
            "Labels": { "paas.installation": installation, "paas.base": rootfs.role },
        },
        "rootfs": { "type": "layers", "diff_ids": [&known.diff_id] },
        "history": [{ "created": CREATED, "created_by": reference }],
    });
    let configuration = configuration.to_string().into_bytes();
    let archive = Archive::new(configuration, vec![known.clone()], reference.clone());
    let blobs = vec![Blob { known: known.clone(), file: Arc::new(file) }];
    let id = match archive.present(engine).await? {
        Some(id) => id,
        None => archive.load(engine, blobs).await?,
    };
    Ok(BaseImage {
        id,
        reference,
        architecture: rootfs.architecture,
        user: USER.to_owned(),
        environment: rootfs.environment,
        layers: vec![known],
        tar: rootfs.tar,
    })
}

const USER: &str = "1000:1000";
