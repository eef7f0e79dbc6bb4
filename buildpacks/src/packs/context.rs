//! What `bin/build` of one of our buildpacks works with: the app, its layers, runtimes, caches.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{App, PackError};
use crate::lifecycle::remove;
use crate::spec::{LayerToml, Types, read_toml_or_default};
use crate::toolchain::{self, Request, SOCKET_VARIABLE, Scheme, Toolchain, ToolchainError};

/// The surroundings of one build.
#[derive(Debug)]
pub(crate) struct BuildContext {
    pub(crate) app: App,
    layers: PathBuf,
    /// Shared between apps; only for tools that verify what they take from it.
    cache: PathBuf,
    socket: Option<OsString>,
}

/// What a layer is for.
pub(crate) const LAUNCH: Types = Types { launch: true, build: false, cache: false };
/// Part of the image, and visible to later buildpacks.
pub(crate) const LAUNCH_BUILD: Types = Types { launch: true, build: true, cache: false };
/// Visible to later buildpacks only.
pub(crate) const BUILD: Types = Types { launch: false, build: true, cache: false };
/// Part of the image, and kept for the next build.
pub(crate) const LAUNCH_CACHE: Types = Types { launch: true, build: false, cache: true };
/// Kept for the next build only.
pub(crate) const CACHE: Types = Types { launch: false, build: false, cache: true };

impl BuildContext {
    /// The context of a build of the app in `app`, with layers in `layers`.
    pub(crate) fn new(app: App, layers: PathBuf) -> Self {
        let cache = std::env::var_os("PAAS_CACHE").unwrap_or_else(|| "/cache".into());
        Self { app, layers, cache: cache.into(), socket: std::env::var_os(SOCKET_VARIABLE) }
    }

    /// The folder of a shared cache.
    pub(crate) fn cache(&self, tool: &str) -> PathBuf {
        self.cache.join(tool)
    }

    /// Where a layer lies.
    pub(crate) fn layer(&self, name: &str) -> PathBuf {
        self.layers.join(name)
    }

    /// What the last build noted of a layer.
    pub(crate) fn remembered(&self, layer: &str) -> Option<toml::Value> {
        read_toml_or_default::<LayerToml>(&self.layer_toml(layer)).ok()?.metadata
    }

    /// Declares a layer, with notes for the next build.
    pub(crate) fn declare(
        &self,
        layer: &str,
        types: Types,
        metadata: &impl Serialize,
    ) -> Result<(), PackError> {
        let path = self.layer_toml(layer);
        let metadata = toml::Value::try_from(metadata).ok();
        let text = toml::to_string(&LayerToml::new(Some(types), metadata))
            .map_err(|error| PackError::io(&path)(std::io::Error::other(error)))?;
        fs::write(&path, text).map_err(PackError::io(path))
    }

    /// An empty folder for a layer.
    pub(crate) fn fresh(&self, layer: &str) -> Result<PathBuf, PackError> {
        let path = self.layer(layer);
        remove(&path).map_err(PackError::io(&path))?;
        fs::create_dir_all(&path).map_err(PackError::io(&path))?;
        Ok(path)
    }

    /// The folder of a layer with what the last build left in it.
    pub(crate) fn kept(&self, layer: &str) -> Result<PathBuf, PackError> {
        let path = self.layer(layer);
        fs::create_dir_all(&path).map_err(PackError::io(&path))?;
        Ok(path)
    }

    /// Asks the daemon for a runtime.
    pub(crate) fn toolchain(
        &self,
        name: &str,
        range: &str,
        scheme: Scheme,
    ) -> Result<Toolchain, PackError> {
        let what = format!("{name} {range}").trim_end().to_owned();
        let failed = |source| PackError::Toolchain { what, source };
        let Some(socket) = &self.socket else { return Err(failed(ToolchainError::NoSocket)) };
        let request = Request { toolchain: name.into(), range: range.into(), scheme };
        toolchain::ask(Path::new(socket), &request).map_err(failed)
    }

    /// Makes a runtime a layer of the image, by a link that the exporter follows.
    pub(crate) fn link(
        &self,
        layer: &str,
        types: Types,
        toolchain: &Toolchain,
    ) -> Result<PathBuf, PackError> {
        let path = self.layer(layer);
        remove(&path).map_err(PackError::io(&path))?;
        symlink(&toolchain.path, &path).map_err(PackError::io(&path))?;
        self.declare(layer, types, &Noted { version: &toolchain.version })?;
        Ok(path)
    }

    /// A variable of the running app that the user may override.
    pub(crate) fn launch_default(&self, name: &str, value: &str) -> Result<(), PackError> {
        let dir = self.kept("environment")?.join("env.launch");
        fs::create_dir_all(&dir).map_err(PackError::io(&dir))?;
        let path = dir.join(format!("{name}.default"));
        fs::write(&path, value).map_err(PackError::io(&path))?;
        self.declare("environment", LAUNCH, &Noted { version: super::VERSION })
    }

    fn layer_toml(&self, layer: &str) -> PathBuf {
        self.layers.join(format!("{layer}.toml"))
    }
}

#[derive(Serialize)]
struct Noted<'a> {
    version: &'a str,
}
