//! A buildpackage in a file: a `.cnb` (an OCI layout in a tar), what `docker save` writes of one, or an
//! archive of a buildpack's folder.
//!
//! The layers of a package hold `/cnb/buildpacks/<id>/<version>`; everything else in them is passed over.
//! Invariant: the file is hostile. It is taken apart by the same code as an upload, under the same
//! limits, and no name of it becomes a path unless it is plain.

use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use buildpacks::agent::Chosen;
use serde::Deserialize;

use crate::build::{
    folder::Folder,
    unpack::{self, UnpackError, UnpackLimits},
};

/// Why a file is no buildpackage.
#[derive(Debug, thiserror::Error)]
pub enum BuildpackageError {
    /// It is not even an archive, or a bad one.
    #[error(transparent)]
    Archive(#[from] UnpackError),
    /// It has neither an index nor a manifest that can be followed.
    #[error("it is no OCI layout, no saved image and has no {DESCRIPTOR} at its top: {0}")]
    Layout(String),
    /// It is an image of something else.
    #[error("the image has no label {LABEL}, so it is not a buildpackage")]
    Label,
    /// The disk.
    #[error("it cannot be unpacked: {0}")]
    Io(#[from] io::Error),
}

/// Unpacks a package through the folder `rough`, which must not exist, onto `shelf`; answers the
/// buildpack that it is a package of. A buildpack's folder comes to `place` there.
pub(super) fn unpack(
    package: impl Read,
    rough: &Path,
    shelf: &Path,
    place: &str,
) -> Result<Chosen, BuildpackageError> {
    unpack::unpack(package, rough, &UnpackLimits::default())?;
    let folder = Folder::open(rough)?;
    if let Some(home) = home(&folder)? {
        let target = shelf.join(place);
        fs::create_dir_all(target.parent().unwrap_or(shelf))?;
        fs::rename(rough.join(home), target)?;
        return Ok(Chosen::Folder(place.to_owned()));
    }
    let image = Image::find(&folder)?;
    let config: Config = json(&folder, &image.config)?;
    let label = config.config.unwrap_or_default().labels.unwrap_or_default();
    let label = label.get(LABEL).cloned().ok_or(BuildpackageError::Label)?;
    let own: Own = serde_json::from_str(&label).map_err(|_| BuildpackageError::Label)?;
    let layers = image.layers.iter().map(|path| open(&folder, path));
    let layers = layers.collect::<Result<Vec<_>, _>>()?;
    let inner = rough.join(INNER);
    unpack::unpack_layers(layers, PREFIX, &inner, &UnpackLimits::default())?;
    move_all(&inner, shelf)?;
    Ok(Chosen::Named { id: own.id, version: own.version })
}

/// The buildpack's folder in an archive of one: its top, or the only folder there.
fn home(folder: &Folder) -> io::Result<Option<PathBuf>> {
    if folder.stat(DESCRIPTOR.as_ref()).is_ok() {
        return Ok(Some(PathBuf::new()));
    }
    let names = folder.names()?;
    let [only] = names.as_slice() else { return Ok(None) };
    let described = |inner: Folder| inner.stat(DESCRIPTOR.as_ref()).is_ok();
    Ok(folder.folder(only).is_ok_and(described).then(|| PathBuf::from(only)))
}

/// Moves `<id>/<version>` folders; of two equal ones the first stays.
fn move_all(from: &Path, shelf: &Path) -> io::Result<()> {
    for family in folders(from)? {
        for version in folders(&family)? {
            let Ok(path) = version.strip_prefix(from) else { continue };
            let target = shelf.join(path);
            if !target.exists() {
                fs::create_dir_all(target.parent().unwrap_or(shelf))?;
                fs::rename(&version, &target)?;
            }
        }
    }
    Ok(())
}

/// The folders in a folder, by names that an id or a version can have; links are none.
fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let plain = name.to_str().is_some_and(|name| name.chars().all(fits));
        if plain && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Where the parts of an image are in the file.
struct Image {
    config: String,
    layers: Vec<String>,
}

impl Image {
    fn find(folder: &Folder) -> Result<Self, BuildpackageError> {
        if let Ok(index) = json::<Index>(folder, "index.json") {
            return Self::of_index(folder, &index, 0);
        }
        let saved: Vec<Saved> = json(folder, "manifest.json")?;
        let first = saved.into_iter().next();
        let first = first.ok_or_else(|| BuildpackageError::Layout("it is empty".to_owned()))?;
        Ok(Self { config: first.config, layers: first.layers })
    }

    /// The image for this machine, or the first if none says what it is for.
    fn of_index(folder: &Folder, index: &Index, depth: usize) -> Result<Self, BuildpackageError> {
        let ours = |it: &&Descriptor| {
            it.platform
                .as_ref()
                .is_some_and(|it| it.os == "linux" && it.architecture == ARCHITECTURE)
        };
        let chosen = index.manifests.iter().find(ours).or_else(|| index.manifests.first());
        let chosen = chosen.ok_or_else(|| BuildpackageError::Layout("it is empty".to_owned()))?;
        let path = chosen.path()?;
        if let Ok(inner) = json::<Index>(folder, &path) {
            if depth >= MAX_DEPTH {
                return Err(BuildpackageError::Layout("its indexes never end".to_owned()));
            }
            return Self::of_index(folder, &inner, depth + 1);
        }
        let manifest: Manifest = json(folder, &path)?;
        let layers = manifest.layers.iter().map(Descriptor::path).collect::<Result<_, _>>()?;
        Ok(Self { config: manifest.config.path()?, layers })
    }
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

impl Descriptor {
    fn path(&self) -> Result<String, BuildpackageError> {
        let (kind, hex) = self.digest.split_once(':').unwrap_or_default();
        let plain =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        if plain(kind) && plain(hex) {
            return Ok(format!("blobs/{kind}/{hex}"));
        }
        Err(BuildpackageError::Layout(format!("`{}` is not a digest", self.digest)))
    }
}

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// An image's configuration, as far as it matters.
#[derive(Deserialize)]
struct Config {
    config: Option<Settings>,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(rename = "Labels")]
    labels: Option<std::collections::BTreeMap<String, String>>,
}

/// The label's contents.
#[derive(Deserialize)]
struct Own {
    id: String,
    #[serde(default)]
    version: Option<String>,
}

fn json<T: serde::de::DeserializeOwned>(
    folder: &Folder,
    path: &str,
) -> Result<T, BuildpackageError> {
    let mut bytes = Vec::new();
    open(folder, path)?.take(MAX_JSON).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| BuildpackageError::Layout(format!("{path}: {error}")))
}

/// A file of the package, reached without passing a link.
fn open(folder: &Folder, path: &str) -> Result<fs::File, BuildpackageError> {
    let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
    let file = folder.below(above.as_ref()).and_then(|above| above.file(name.as_ref()));
    file.map(|(file, _)| file)
        .map_err(|error| BuildpackageError::Layout(format!("{path}: {error}")))
}

/// What says which buildpack a package is of.
const LABEL: &str = "io.buildpacks.buildpackage.metadata";
/// What tells a buildpack's folder.
const DESCRIPTOR: &str = "buildpack.toml";
/// Where the buildpacks are in the layers.
const PREFIX: &[u8] = b"cnb/buildpacks/";
/// A place for the layers' contents that no package can have a file at.
const INNER: &str = ".buildpacks";
const ARCHITECTURE: &str = crate::build::stack::TARGET_ARCH;
const MAX_DEPTH: usize = 3;
const MAX_JSON: u64 = 4 << 20;
