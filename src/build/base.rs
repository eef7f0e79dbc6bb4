//! The base images: the stack's root filesystems, known to Docker, and those with packages besides.
//!
//! An image of one layer that is the root filesystem's tar. It is loaded once; as everything about
//! it follows from the tar's digest and the settings, its id is known before Docker is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
    sync::Arc,
};

use buildpacks::packages::Package;
use serde_json::json;

use super::{
    export::{Archive, Blob, CREATED, ExportError},
    stack::{CNB_ENVIRONMENT, Flavour, HOME, Rootfs, TARGET_ARCH, TARGET_OS},
    workspace::Known,
};
use crate::{
    engine::{BuildEngine, EngineError, image_name},
    model::ImageId,
};

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
    /// The labels that images on it have too.
    pub(crate) labels: BTreeMap<String, String>,
    /// Who made it.
    pub(crate) maker: Maker,
    /// Its layers, lowest first.
    pub(crate) layers: Vec<Known>,
    /// The tars of its uppermost layers, for an engine that has lost them. Of what others made only
    /// the engine has the layers.
    pub(crate) tars: Vec<PathBuf>,
    /// The packages that it has beyond the base image that it was made of.
    pub(crate) packages: BTreeSet<Package>,
}

/// Who made a base image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// This program.
    Ours,
    /// Somebody else: it came with a builder.
    Another,
}

impl BaseImage {
    /// Its layers but the `known` lowest, for an engine that has lost them.
    pub(crate) fn blobs(&self, known: usize) -> Result<Vec<Blob>, ExportError> {
        let lacking = self.layers.len().saturating_sub(self.tars.len());
        let open = |(layer, tar): (&Known, &PathBuf)| {
            let path = tar.display().to_string();
            let file = File::open(tar).map_err(|source| ExportError::Read { path, source })?;
            Ok(Blob { known: layer.clone(), file: Arc::new(file) })
        };
        let kept = self.layers.iter().skip(lacking).zip(&self.tars);
        kept.skip(known.saturating_sub(lacking)).map(open).collect()
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
        labels: BTreeMap::new(),
        maker: Maker::Ours,
        layers: vec![known],
        tars: vec![rootfs.tar.clone()],
        packages: BTreeSet::new(),
    })
}

/// Makes an image of a base image and a layer of packages, unless Docker has it.
pub(super) async fn load_variant<E: BuildEngine>(
    engine: &E,
    base: &BaseImage,
    variant: Variant<'_>,
) -> Result<BaseImage, ExportError> {
    let Variant { flavour, key, packages, layer, tar, installation } = variant;
    let reference = format!("paas/{flavour}:{key}");
    let mut layers = base.layers.clone();
    layers.push(layer);
    let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let by = base.layers.iter().map(|_| &base.reference).chain([&reference]);
    let history = by.map(|by| json!({ "created": CREATED, "created_by": by }));
    let variables = base.environment.iter().map(|(key, value)| format!("{key}={value}"));
    let names: Vec<_> = packages.iter().map(Package::as_str).collect();
    let configuration = json!({
        "architecture": base.architecture,
        "os": TARGET_OS,
        "created": CREATED,
        "config": {
            "User": base.user,
            "Env": variables.collect::<Vec<_>>(),
            "Labels": {
                "paas.base": flavour.name(),
                "paas.packages": names.join(" "),
            },
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history.collect::<Vec<_>>(),
    });
    let configuration = configuration.to_string().into_bytes();
    let name = image_name(flavour.name(), installation, key);
    let archive = Archive::new(configuration, layers.clone(), name);
    let tars: Vec<_> = base.tars.iter().cloned().chain([tar]).collect();
    let mut image =
        BaseImage { reference, layers, tars, packages: packages.clone(), ..base.clone() };
    image.id = match archive.adopt(engine).await? {
        Some(id) => id,
        None => load_above(engine, &archive, (base, &image)).await?,
    };
    Ok(image)
}

/// Sends the layers of the base only if Docker should have lost them.
async fn load_above<E: BuildEngine>(
    engine: &E,
    archive: &Archive,
    (base, image): (&BaseImage, &BaseImage),
) -> Result<ImageId, ExportError> {
    let known = archive.known_to(engine, &vec![base.id.clone()]).await;
    match archive.load(engine, image.blobs(known)?).await {
        Err(ExportError::Engine(EngineError::Refused { .. })) if known > 0 => {
            archive.load(engine, image.blobs(0)?).await
        }
        other => other,
    }
}

/// A layer of packages, and what it is called.
pub(super) struct Variant<'a> {
    pub(super) flavour: Flavour,
    pub(super) key: &'a str,
    pub(super) packages: &'a BTreeSet<Package>,
    pub(super) layer: Known,
    pub(super) tar: PathBuf,
    /// Whose it is, so that it is cleaned up with its other images.
    pub(super) installation: &'a str,
}

fn environment() -> BTreeMap<String, String> {
    let own = [("PATH", PATH), ("HOME", HOME)];
    let all = CNB_ENVIRONMENT.into_iter().chain(own);
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The stack's user, as Docker writes it.
const USER: &str = "1000:1000";
