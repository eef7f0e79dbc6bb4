//! `paas.toml`: what an app's folder says of how it is built, run and switched to. Optional.
//!
//! Strict: a key that is not known is an error, because a setting that is silently ignored is
//! found out at the worst time. Keys that start with `x-` are the user's own. Invariant: a
//! [`Manifest`] holds only values that the rest of the house accepts.

mod build;
mod error;
mod http;
mod read;

use std::{collections::BTreeMap, time::Duration};

pub use build::{BuildWay, ManifestBuild};
pub use error::ManifestError;
use read::Section;
pub use read::duration;

use super::{
    AppName, ByteSize, HttpSettings, ProcessName,
    app::MAX_SCALE,
    build::DeploySettings,
    release::{Config, MAX_CONFIG_BYTES},
};

/// The contents of a `paas.toml`; an absent file is the default one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The app that the folder belongs to, for the command line.
    pub app: Option<AppName>,
    /// Environment of all processes; the app's own config wins over it.
    pub env: Config,
    /// What it says of processes.
    pub processes: BTreeMap<ProcessName, ManifestProcess>,
    /// How a release is switched to.
    pub deploy: ManifestDeploy,
    /// What a build may use.
    pub build: ManifestBuild,
    /// What is asked of the edge; a build puts the pages in.
    pub http: HttpSettings,
    /// The files that the pages are in, by status, as paths in the app's folder.
    pub pages: BTreeMap<u16, String>,
}

/// `[process.NAME]`; what is absent is left as it would be without a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestProcess {
    /// Run in a shell instead of what a buildpack found.
    pub command: Option<String>,
    /// Where it takes connections.
    pub port: Option<u16>,
    /// How many instances, where `paas scale` has not said otherwise.
    pub scale: Option<u16>,
    /// Memory of one instance.
    pub memory: Option<ByteSize>,
    /// Thousandths of a core, written as cores: `0.5`.
    pub cpu_millis: Option<u32>,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Option<Duration>,
    /// When it counts as ready.
    pub health: ManifestHealth,
}

/// `[process.NAME.health]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestHealth {
    /// An HTTP path that answers 2xx or 3xx.
    pub path: Option<String>,
    /// Between two checks.
    pub interval: Option<Duration>,
    /// The longest wait for one answer.
    pub timeout: Option<Duration>,
    /// The longest wait from start to first good answer.
    pub grace: Option<Duration>,
}

/// `[deploy]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestDeploy {
    /// The longest wait for new instances to be ready.
    pub timeout: Option<Duration>,
    /// The longest wait for requests of old instances to end.
    pub drain: Option<Duration>,
}

impl Manifest {
    /// Reads the text of a `paas.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        let document = read::parse(text)?;
        let mut top = Section::top(text, document.get_ref());
        manifest.app = top.parsed("app")?;
        if let Some(env) = top.section("env")? {
            manifest.env = env.environment()?;
            check_size(&manifest.env, &env)?;
        }
        if let Some(processes) = top.section("process")? {
            for (name, section) in processes.named_sections()? {
                manifest.processes.insert(name, process(section)?);
            }
        }
        if let Some(mut deploy) = top.section("deploy")? {
            manifest.deploy.timeout = deploy.duration("timeout")?;
            manifest.deploy.drain = deploy.duration("drain")?;
            deploy.finish()?;
        }
        if let Some(section) = top.section("build")? {
            manifest.build = build::build(section)?;
        }
        if let Some(section) = top.section("http")? {
            (manifest.http, manifest.pages) = http::http(section)?;
        }
        top.finish()?;
        Ok(manifest)
    }

    /// How a release of it is switched to.
    pub fn deploy_settings(&self) -> DeploySettings {
        let default = DeploySettings::default();
        DeploySettings {
            timeout: self.deploy.timeout.unwrap_or(default.timeout),
            drain: self.deploy.drain.unwrap_or(default.drain),
            env: self.env.clone(),
            http: Box::new(self.http.clone()),
        }
    }
}

fn check_size(env: &Config, section: &Section<'_>) -> Result<(), ManifestError> {
    let bytes: usize = env.iter().map(|(key, value)| key.as_str().len() + value.len()).sum();
    if bytes > MAX_CONFIG_BYTES {
        return Err(
            section.fault(format!("the variables are larger than {MAX_CONFIG_BYTES} bytes"))
        );
    }
    Ok(())
}

fn process(mut section: Section<'_>) -> Result<ManifestProcess, ManifestError> {
    let mut process = ManifestProcess {
        command: section.text("command")?,
        port: section.port("port")?,
        scale: section.count("scale", MAX_SCALE)?,
        memory: section.memory("memory")?,
        cpu_millis: section.cores("cpu")?,
        stop_timeout: section.duration("stop_timeout")?,
        health: ManifestHealth::default(),
    };
    if let Some(mut health) = section.section("health")? {
        process.health = ManifestHealth {
            path: health.path("path")?,
            interval: health.duration("interval")?,
            timeout: health.duration("timeout")?,
            grace: health.duration("grace")?,
        };
        health.finish()?;
    }
    section.finish()?;
    Ok(process)
}

#[cfg(test)]
mod tests;
