//! Where things stand inside a build container.
//!
//! One struct of paths instead of constants, so that a test runs the whole lifecycle in a folder
//! of its own. Invariant: production uses [`Roots::from_env`], whose defaults are the
//! specification's.

use std::path::{Path, PathBuf};

/// The folders that daemon and container share.
#[derive(Debug, Clone)]
pub struct Roots {
    /// `/layers`: what buildpacks leave; it outlives the container.
    pub layers: PathBuf,
    /// `/workspace`: the app's source.
    pub workspace: PathBuf,
    /// `/platform`: a tmpfs; the agent writes the user's environment there for each job.
    pub platform: PathBuf,
    /// `/cnb`: buildpacks and order, read-only; our own, unless the build image is a builder of
    /// somebody else's, whose it is then.
    pub cnb: PathBuf,
    /// Our own tree in a builder of somebody else's.
    pub ours: Option<PathBuf>,
    /// `/buildpacks`: what this app brings besides, laid out as `/cnb/buildpacks`, read-only.
    pub buildpacks: PathBuf,
    /// `/toolchains`: unpacked runtimes, read-only.
    pub toolchains: PathBuf,
}

impl Roots {
    /// The paths of the build container, each of which the daemon may move by a variable.
    pub fn from_env() -> Self {
        let path = |name: &str, otherwise: &str| {
            std::env::var_os(name).map_or_else(|| PathBuf::from(otherwise), PathBuf::from)
        };
        Self {
            layers: path("CNB_LAYERS_DIR", "/layers"),
            workspace: path("CNB_APP_DIR", "/workspace"),
            platform: path("CNB_PLATFORM_DIR", "/platform"),
            cnb: path("PAAS_CNB_DIR", "/cnb"),
            ours: std::env::var_os(OURS).map(PathBuf::from),
            buildpacks: path("PAAS_BUILDPACKS_DIR", "/buildpacks"),
            toolchains: path("PAAS_TOOLCHAINS_DIR", "/toolchains"),
        }
    }

    /// The same tree below `dir`.
    pub fn under(dir: &Path) -> Self {
        Self {
            layers: dir.join("layers"),
            workspace: dir.join("workspace"),
            platform: dir.join("platform"),
            cnb: dir.join("cnb"),
            ours: None,
            buildpacks: dir.join("buildpacks"),
            toolchains: dir.join("toolchains"),
        }
    }

    /// The launcher's configuration.
    pub fn metadata_toml(&self) -> PathBuf {
        self.layers.join("config/metadata.toml")
    }
}

/// Says where our own tree is in a build container whose `/cnb` is another's.
pub const OURS: &str = "PAAS_OURS_DIR";
