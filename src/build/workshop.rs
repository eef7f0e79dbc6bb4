//! What builds need, made when it is first possible: base images, the `/cnb` tree, the shelf of
//! toolchains and its socket.
//!
//! Making the base images takes half a minute on a new machine. It begins when the daemon starts,
//! so that the first deploy waits for the rest of it only.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use buildpacks::Target;
use tokio::{net::UnixListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    build::{
        BuildFolders, Builder, ExportError, Settings,
        base_images::{BaseImages, BaseImagesError},
        load_base,
        stack::{self, Flavour},
        toolchains::{Toolchains, ca_environment},
    },
    engine::BuildEngine,
};

/// Where things for builds lie, and what is known from the start.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// This installation's id.
    pub installation: String,
    /// The data folder.
    pub data: PathBuf,
    /// Where the base images come from.
    pub base: BaseImages,
    /// The shelf.
    pub toolchains: Toolchains,
    /// Its folder.
    pub shelf: PathBuf,
    /// The running binary.
    pub binary: PathBuf,
    /// The certificates that this machine trusts.
    pub ca_bundle: Option<PathBuf>,
    /// How long a build container waits for the next build of its app; zero is not at all.
    pub idle: Duration,
    /// Ends the shelf's socket.
    pub stop: CancellationToken,
}

/// Why builds are not possible yet.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// There are no base images.
    #[error(transparent)]
    Base(#[from] BaseImagesError),
    /// Docker did not take them.
    #[error("Docker did not take the base images")]
    Load(#[from] ExportError),
    /// The `/cnb` tree cannot be written.
    #[error("the builder's files cannot be written")]
    Files(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The program of app containers: the crate `launcher`, made by `build.rs`.
pub const LAUNCHER: &[u8] = include_bytes!(env!("PAAS_LAUNCHER"));

impl WorkshopError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Base(error) => Some(error.hint()),
            Self::Load(_) | Self::Files(_) => None,
        }
    }
}

impl Workshop {
    /// Makes what is missing and answers a builder. `status` says how far it is.
    pub async fn open<E: BuildEngine>(
        &self,
        engine: E,
        status: &watch::Sender<String>,
    ) -> Result<Builder<E>, WorkshopError> {
        let cnb = self.data.join("cnb");
        let binary = self.binary.clone();
        let tree = cnb.clone();
        blocking(move || {
            buildpacks::cnb::materialise(&tree, &binary, LAUNCHER).map_err(io::Error::other)
        })
        .await?;
        let socket = self.serve_toolchains()?;
        let (run, build) = self.base_images(&engine, status).await?;
        let mut environment = self.toolchains.registries().await.environment();
        if self.ca_bundle.is_some() {
            environment.extend(ca_environment(Path::new(CA_BUNDLE)));
        }
        status.send_replace(READY.to_owned());
        let launcher = cnb.join("lifecycle/launcher");
        let builder = Builder::new(
            engine,
            Settings {
                installation: self.installation.clone(),
                apps: BuildFolders::new(&self.data).apps().to_owned(),
                cache: self.data.join("cache"),
                cnb,
                launcher,
                toolchains: self.shelf.clone(),
                toolchain_socket: socket,
                ca_bundle: self.ca_bundle.clone(),
                environment,
                run,
                build,
                variants: BuildFolders::new(&self.data).variants().to_owned(),
                apt: self.base.apt.clone(),
                target: target(),
                keep: self.idle,
            },
        );
        // No container waits for a daemon that has gone; should this be cut, the next one sweeps.
        let (last, stop) = (builder.clone(), self.stop.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            last.dismiss(|_| false).await;
        });
        Ok(builder)
    }

    /// Answers builds that ask for toolchains, until the daemon stops.
    fn serve_toolchains(&self) -> Result<(PathBuf, String), WorkshopError> {
        let folder = self.data.join("run");
        let name = "toolchains.sock";
        let listener = listen(&folder, name).map_err(|error| WorkshopError::Files(error.into()))?;
        let (toolchains, stop) = (self.toolchains.clone(), self.stop.clone());
        tokio::spawn(async move {
            toolchains.serve(listener, Path::new("/toolchains"), stop).await;
        });
        Ok((folder, name.to_owned()))
    }

    async fn base_images<E: BuildEngine>(
        &self,
        engine: &E,
        status: &watch::Sender<String>,
    ) -> Result<(crate::build::BaseImage, crate::build::BaseImage), WorkshopError> {
        let say = |text: String| {
            tracing::info!(%text, "base images");
            status.send_replace(text);
        };
        let set = self.base.ensure(engine, &say).await?;
        status.send_replace("loading the base images into Docker".to_owned());
        let run = load_base(engine, Flavour::Run, &set.run).await?;
        let build = load_base(engine, Flavour::Build, &set.build).await?;
        Ok((run, build))
    }
}

/// What the status says when builds are possible.
pub const READY: &str = "ready";

fn listen(folder: &Path, name: &str) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(folder)?;
    // Builds reach the socket through a mount of this folder alone, as user 1000.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

fn target() -> Target {
    Target {
        os: stack::TARGET_OS.to_owned(),
        arch: stack::TARGET_ARCH.to_owned(),
        arch_variant: String::new(),
        distro_name: stack::DISTRO_NAME.to_owned(),
        distro_version: stack::DISTRO_VERSION.to_owned(),
    }
}

async fn blocking(
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), WorkshopError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| WorkshopError::Files(error.into()))?
        .map_err(|error| WorkshopError::Files(error.into()))
}

const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
