//! The base images: the stack's root filesystems, known to Docker.
//!
//! An image of one layer that is the root filesystem's tar. It is loaded once; as everything about
//! it follows from the tar's digest and the settings, its id is known before Docker is asked.

use std::{collections::BTreeMap, fs::File, path::PathBuf, sync::Arc};

use serde_json::json;

use super::{
    export::{Archive, Blob, CREATED, ExportError},
    stack::{CNB_ENVIRONMENT, Flavour, HOME, Rootfs, TARGET_ARCH, TARGET_OS},
    workspace::Known,
};
use crate::{engine::BuildEngine, model::ImageId};

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

impl BaseImage {
    /// Its layer, for an engine that has lost it.
    pub(crate) fn blobs(&self) -> Result<Vec<Blob>, ExportError> {
        let path = self.tar.display().to_string();
        let file = File::open(&self.tar).map_err(|source| ExportError::Read { path, source })?;
        let file = Arc::new(file);
        let blob = |known: &Known| Blob { known: known.clone(), file: Arc::clone(&file) };
        Ok(self.layers.iter().map(blob).collect())
    }
}

/// Makes a root filesystem of the stack an image, unless Docker has it.
pub async fn load_base<E: BuildEngine>(
    engine: &E,
    flavour: Flavour,
    rootfs: &Rootfs,
) -> Result<BaseImage, ExportError> {
    let role = flavour.name();
    let known = Known { diff_id: rootfs.diff_id.clone(), size: rootfs.size };
    let short: String = rootfs.diff_id.chars().skip("sha256:".len()).take(12).collect();
    let reference = format!("paas/{role}:{short}");
    let environment = environment();
    let variables: Vec<_> =
        environment.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let configuration = json!({
        "architecture": TARGET_ARCH,
        "os": TARGET_OS,
        "created": CREATED,
        "config": {
            "User": USER,
            "Env": variables,
            "Labels": { "paas.base": role },
        },
        "rootfs": { "type": "layers", "diff_ids": [&known.diff_id] },
        "history": [{ "created": CREATED, "created_by": reference }],
    });
    let configuration = configuration.to_string().into_bytes();
    let archive = Archive::new(configuration, vec![known.clone()], reference.clone());
    let id = if let Some(id) = archive.present(engine).await? {
        id
    } else {
        let path = rootfs.tar.display().to_string();
        let file = File::open(&rootfs.tar).map_err(|source| ExportError::Read { path, source })?;
        let blobs = vec![Blob { known: known.clone(), file: Arc::new(file) }];
        archive.load(engine, blobs).await?
    };
    Ok(BaseImage {
        id,
        reference,
        architecture: TARGET_ARCH.to_owned(),
        user: USER.to_owned(),
        environment,
        layers: vec![known],
        tar: rootfs.tar.clone(),
    })
}

fn environment() -> BTreeMap<String, String> {
    let own = [("PATH", PATH), ("HOME", HOME)];
    let all = CNB_ENVIRONMENT.into_iter().chain(own);
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The stack's user, as Docker writes it.
const USER: &str = "1000:1000";
