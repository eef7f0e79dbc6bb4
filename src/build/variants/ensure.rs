//! The story: is the variant there? If not, install the packages in a container of the base image,
//! keep what changed as a layer, and load the two as an image.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use buildpacks::packages::Package;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};

use super::{
    error::VariantError,
    lent::Lent,
    recipe::{self, ERRORS, NAMES, NO_SOURCES, Sources},
    record::{Key, LAYER, Record},
};
use crate::{
    build::{
        BaseImage,
        base::{Variant, load_variant},
        stack::{self, Flavour},
        web::shown,
        workspace::Known,
    },
    clock,
    engine::{BuildEngine, EngineError, Root, RootError},
    faults,
    model::Exit,
};

/// The variants of one machine.
#[derive(Debug, Clone)]
pub(crate) struct Variants(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    installation: String,
    pub(super) folder: PathBuf,
    /// apt's configuration folder, which names this machine's mirror.
    pub(super) apt: PathBuf,
    /// What build containers are lent, once it was asked for.
    pub(super) lent: OnceCell<Lent>,
    /// One making at a time of each flavour; whoever comes second finds it made.
    run: Mutex<()>,
    build: Mutex<()>,
}

impl Variants {
    /// Those kept in `folder`; nothing is touched yet.
    pub(crate) fn at(folder: &Path, apt: &Path, installation: &str) -> Self {
        Self(Arc::new(Inner {
            installation: installation.to_owned(),
            folder: folder.to_owned(),
            apt: apt.to_owned(),
            lent: OnceCell::new(),
            run: Mutex::new(()),
            build: Mutex::new(()),
        }))
    }

    /// The base image with the packages, if that was made before.
    pub(crate) async fn present<E: BuildEngine>(
        &self,
        engine: &E,
        (flavour, base): (Flavour, &BaseImage),
        packages: &BTreeSet<Package>,
    ) -> Result<Option<BaseImage>, VariantError> {
        if packages.is_empty() {
            return Ok(Some(base.clone()));
        }
        let key = Key::of(base, packages);
        let folder = self.0.folder.join(key.as_str());
        let Some(layer) = Record::load(&folder) else { return Ok(None) };
        // The folder's time says when it was needed last.
        let _ = File::open(&folder).and_then(|folder| folder.set_modified(clock::system()));
        let tar = folder.join(LAYER);
        let (key, installation) = (key.as_str(), self.0.installation.as_str());
        let variant = Variant { flavour, key, packages, layer, tar, installation };
        Ok(Some(load_variant(engine, base, variant).await?))
    }

    /// The base image with the packages, made now if it is not there. Who stops waiting does not
    /// stop the making: others may wait for it.
    pub(crate) async fn ensure<E: BuildEngine>(
        &self,
        engine: &E,
        (flavour, base): (Flavour, &BaseImage),
        packages: &BTreeSet<Package>,
    ) -> Result<BaseImage, VariantError> {
        if let Some(variant) = self.present(engine, (flavour, base), packages).await? {
            return Ok(variant);
        }
        let (this, engine) = (self.clone(), engine.clone());
        let (base, packages) = (base.clone(), packages.clone());
        let made = tokio::spawn(async move {
            let turn = match flavour {
                Flavour::Run => &this.0.run,
                Flavour::Build => &this.0.build,
            };
            let _turn = turn.lock().await;
            if this.present(&engine, (flavour, &base), &packages).await?.is_none() {
                this.make(&engine, (flavour, &base), &packages).await?;
            }
            let variant = this.present(&engine, (flavour, &base), &packages).await?;
            variant.ok_or_else(|| this.folder_error(io::ErrorKind::NotFound.into()))
        });
        made.await.unwrap_or_else(|lost| Err(self.folder_error(io::Error::other(lost))))
    }

    /// Removes the containers of makings that died with an earlier daemon.
    pub(crate) async fn sweep<E: BuildEngine>(&self, engine: &E) -> Result<(), EngineError> {
        engine.remove_root(container(Flavour::Run)).await?;
        engine.remove_root(container(Flavour::Build)).await
    }

    async fn make<E: BuildEngine>(
        &self,
        engine: &E,
        (flavour, base): (Flavour, &BaseImage),
        packages: &BTreeSet<Package>,
    ) -> Result<(), VariantError> {
        let key = Key::of(base, packages);
        tracing::info!(%flavour, %key, ?packages, "installing packages into a base image");
        let unfinished = self.0.folder.join(format!(".unfinished-{flavour}"));
        clear(&unfinished).map_err(|source| self.folder_error(source))?;
        let script = recipe::script(packages, &self.sources().await?);
        let root = Root { name: container(flavour), script, into: unfinished.clone() };
        let changed = engine.change_root(&base.id, &root).await;
        changed.map_err(|error| failure(error, flavour, packages, &unfinished))?;
        faults::point("variant.installed");
        let (record, place) = (Record::new, self.0.folder.join(key.as_str()));
        let (base, packages) = (base.clone(), packages.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let layer = known(&unfinished.join(LAYER))?;
            record(&base, &packages, layer).save(&unfinished)?;
            let _ = fs::remove_dir_all(&place);
            fs::rename(&unfinished, &place)?;
            tidy(&place)
        });
        kept.await.map_err(io::Error::other).flatten().map_err(|error| self.folder_error(error))?;
        faults::point("variant.kept");
        Ok(())
    }

    /// Where this machine gets Debian from, asked for what it has.
    async fn sources(&self) -> Result<Sources, VariantError> {
        let apt = self.0.apt.clone();
        let asked = tokio::task::spawn_blocking(move || stack::container_sources(&apt)).await;
        let asked = asked.map_err(|lost| self.folder_error(io::Error::other(lost)))?;
        let (list, epoch) = asked.map_err(|(mirror, because)| VariantError::Mirror {
            mirror: shown(&mirror),
            because: because.to_string(),
        })?;
        Ok(Sources { list, epoch, options: stack::host_options().await })
    }

    fn folder_error(&self, source: io::Error) -> VariantError {
        VariantError::Folder { path: self.0.folder.clone(), source }
    }
}

/// An empty folder, whatever a crash left there.
fn clear(unfinished: &Path) -> io::Result<()> {
    match fs::remove_dir_all(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(unfinished)
}

/// What a container that installs packages is called, so that the next one finds a dead one.
fn container(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Run => "extend-run",
        Flavour::Build => "extend-build",
    }
}

fn failure(
    error: RootError,
    flavour: Flavour,
    packages: &BTreeSet<Package>,
    folder: &Path,
) -> VariantError {
    let RootError::Script { exit, last, .. } = error else {
        return VariantError::Root(Box::new(error));
    };
    if exit.code == NO_SOURCES {
        return VariantError::NoMirror;
    }
    let known = VariantError::of_apt(&text(&folder.join(ERRORS)), &text(&folder.join(NAMES)));
    let packages = packages.clone();
    known.unwrap_or_else(|| VariantError::Install { flavour, packages, last: spoken(&exit, last) })
}

fn spoken(exit: &Exit, last: String) -> String {
    if last.is_empty() { format!("the container {exit}") } else { last }
}

/// The beginning of a file, or nothing.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).map(|file| file.take(MAX_TEXT).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn known(tar: &Path) -> io::Result<Known> {
    let mut file = File::open(tar)?;
    file.sync_all()?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(buffer.get(..count).unwrap_or_default());
        size += count as u64;
    }
    Ok(Known { diff_id: format!("sha256:{}", hex::encode(hash.finalize())), size })
}

/// Removes what the container left besides the layer, and makes the rename last.
fn tidy(place: &Path) -> io::Result<()> {
    for name in ["before", "after", "changed", "gone", "marker", ERRORS, NAMES] {
        let _ = fs::remove_file(place.join(name));
    }
    let _ = fs::remove_dir_all(place.join("whiteouts"));
    File::open(place.parent().unwrap_or(place))?.sync_all()
}

const BUFFER: usize = 256 << 10;
/// Debian's package names are two megabytes.
const MAX_TEXT: u64 = 8 << 20;
