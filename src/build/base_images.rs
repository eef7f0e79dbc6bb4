//! Where the base images come from: kept ones; else made of an image that a registry has; else made
//! of Debian packages on this host.
//!
//! Asked once per host and recipe, so the order is decided by what holds on most machines
//! (`docs/decisions/0012`). Whatever is not possible is said, with what is done instead.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    build::stack::{
        self, Flavour, Origin, Progress, Stack, StackError, StackSet, container_script,
        host_options,
    },
    engine::{BuildEngine, Root, RootError},
    telemetry::chain,
};

/// Where base images may come from.
#[derive(Debug, Clone)]
pub struct BaseImages {
    /// The folder in which they are kept.
    pub folder: PathBuf,
    /// A plain Debian 13 image of some registry.
    pub image: String,
    /// apt's configuration folder, which names this host's mirror.
    pub apt: PathBuf,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum BaseImagesError {
    /// Their folder cannot be used, or what a registry gave cannot be kept.
    #[error("the base images cannot be kept")]
    Keep(#[source] StackError),
    /// Neither a registry nor this host's packages.
    #[error("{registry}, and the base images cannot be made on this host")]
    Nowhere {
        /// What became of the registry.
        registry: String,
        /// The image that was asked for.
        image: String,
        /// What became of the packages.
        #[source]
        packages: StackError,
    },
}

impl BaseImagesError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Keep(error) => error.hint().to_owned(),
            Self::Nowhere { image, packages, .. } => {
                format!("make `docker pull {image}` work, or {}", packages.hint())
            }
        }
    }
}

impl BaseImages {
    /// The base images, made now if they are not there. `say` is told how far it is.
    pub async fn ensure<E: BuildEngine>(
        &self,
        engine: &E,
        say: &(dyn Fn(String) + Send + Sync),
    ) -> Result<StackSet, BaseImagesError> {
        let kept = Stack::at(&self.folder);
        if let Some(set) = kept.present() {
            return Ok(set);
        }
        let registry = match self.pull(engine, say).await? {
            Ok(tars) => return kept.ensure(tars, &|_| ()).await.map_err(BaseImagesError::Keep),
            Err(error) => chain(&error),
        };
        say(format!("{registry}; making the base images from Debian packages"));
        let host = Origin::Host { apt: self.apt.clone() };
        let made = kept.ensure(host, &|progress| say(shown(&progress))).await;
        made.map_err(|packages| BaseImagesError::Nowhere {
            registry,
            image: self.image.clone(),
            packages,
        })
    }

    /// Both tars, made of the registry's image; or why there is none.
    async fn pull<E: BuildEngine>(
        &self,
        engine: &E,
        say: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Result<Origin, RootError>, BaseImagesError> {
        let folder = |source| {
            BaseImagesError::Keep(StackError::Folder { path: self.folder.clone(), source })
        };
        fs::create_dir_all(&self.folder).map_err(folder)?;
        say(format!("pulling {} and installing packages into it", self.image));
        let patience = if stack::host_can_make() { SOON } else { LATE };
        let host = host_options().await;
        let roots = [self.root(Flavour::Run, &host), self.root(Flavour::Build, &host)];
        let made = engine.pull_roots(&self.image, &roots, patience).await;
        let [run, build] = roots.map(|root| root.into);
        if let Err(error) = made {
            for begun in [&run, &build] {
                remove(begun).map_err(folder)?;
            }
            return Ok(Err(error));
        }
        let how = format!("made of {}, which a registry gave", self.image);
        Ok(Ok(Origin::Tars { run, build, how }))
    }

    /// It lies where it will be kept, so that keeping it is only a rename; what a crash leaves
    /// there goes when a pair is kept.
    fn root(&self, flavour: Flavour, host: &[String]) -> Root {
        Root {
            name: flavour.name(),
            script: container_script(flavour, host),
            into: self.folder.join(format!("pulled-{flavour}.tar")),
        }
    }
}

fn remove(begun: &Path) -> io::Result<()> {
    match fs::remove_file(begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn shown(progress: &Progress) -> String {
    match progress {
        Progress::Making { from } => format!("making the base images from {from}"),
        Progress::Step { flavour, text } => format!("{flavour} image: {text}"),
        Progress::Made { flavour, .. } => format!("{flavour} image made"),
    }
}

/// For a registry's first word, where packages will do as well.
const SOON: Duration = Duration::from_secs(3);
/// Where there is nothing else, a slow registry is better than none.
const LATE: Duration = Duration::from_secs(20);
