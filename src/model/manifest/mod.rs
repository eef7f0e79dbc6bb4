//! `paas.toml`: what an app's folder says of how it is built, run and switched to. Optional.
//!
//! Strict: a key that is not known is an error, because a setting that is silently ignored is
//! found out at the worst time. Keys that start with `x-` are the user's own. Invariant: a
//! [`Manifest`] holds only values that the rest of the house accepts.

mod build;
mod cron;
mod declaration;
mod deploy;
mod error;
pub mod foreign;
mod health;
mod http;
mod layer;
mod private;
mod read;
mod schema;
mod secrets;
mod section;
mod volume;

use std::{collections::BTreeMap, time::Duration};

pub use build::{BuildWay, ManifestBuild};
pub use declaration::{Declaration, DeclarationError};
pub use deploy::ManifestDeploy;
pub use error::ManifestError;
pub use health::{ManifestHealth, ManifestLiveness};
use layer::Document;
pub use layer::ManifestFile;
pub use read::duration;
pub use schema::SCHEMA;
pub use secrets::ManifestSecrets;
use section::Section;

use super::{
    AppName, ByteSize, CronJob, CronName, EnvKey, HttpProtocol, HttpSettings, MountPath,
    PrivateSettings, Process, ProcessName, Strategy, VolumeName,
    app::MAX_SCALE,
    build::DeploySettings,
    node::Labels,
    release::{Config, MAX_CONFIG_BYTES},
    volume::Mounting,
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
    /// What other platforms' files say of processes: it counts less, and only where there is one.
    pub suggested: BTreeMap<ProcessName, ManifestProcess>,
    /// How a release is switched to.
    pub deploy: ManifestDeploy,
    /// What runs by the clock.
    pub cron: BTreeMap<CronName, CronJob>,
    /// What a build may use.
    pub build: ManifestBuild,
    /// What it needs of the app's secrets.
    pub secrets: ManifestSecrets,
    /// Variables and secrets that instances find as files, too.
    pub files: BTreeMap<MountPath, EnvKey>,
    /// What is asked of the edge; a build puts the pages in.
    pub http: HttpSettings,
    /// Who finds it by private names.
    pub private: PrivateSettings,
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
    /// How its instances change in a rollout.
    pub strategy: Option<Strategy>,
    /// When it counts as ready.
    pub health: ManifestHealth,
    /// When it is taken to hang.
    pub liveness: Option<ManifestLiveness>,
    /// The disks that it writes to: `[volume.NAME]`.
    pub volumes: BTreeMap<VolumeName, Mounting>,
    /// The labels that a machine must have for it.
    pub place: Labels,
}

impl ManifestProcess {
    /// Changes a process into what is said of it. The command is not among it: how one becomes what
    /// a container executes depends on the image.
    pub fn describe(&self, process: &mut Process) {
        let Process { port, scale, health, stop_timeout, limits, volumes, .. } = process;
        *port = self.port.or(*port);
        *scale = self.scale.unwrap_or(*scale);
        *stop_timeout = self.stop_timeout.unwrap_or(*stop_timeout);
        limits.memory = self.memory.unwrap_or(limits.memory);
        limits.cpu_millis = self.cpu_millis.or(limits.cpu_millis);
        self.health.describe(health);
        if let Some(said) = &self.liveness {
            said.describe(&mut process.liveness);
        }
        volumes.extend(self.volumes.clone());
        process.place.extend(self.place.clone());
    }

    /// Takes from another what this one is silent about.
    fn fill(&mut self, other: Self) {
        self.command = self.command.take().or(other.command);
        self.port = self.port.or(other.port);
        self.scale = self.scale.or(other.scale);
        self.memory = self.memory.or(other.memory);
        self.cpu_millis = self.cpu_millis.or(other.cpu_millis);
        self.stop_timeout = self.stop_timeout.or(other.stop_timeout);
        self.strategy = self.strategy.or(other.strategy);
        self.health.fill(other.health);
        self.liveness = self.liveness.take().or(other.liveness);
        if self.volumes.is_empty() {
            self.volumes = other.volumes;
        }
    }
}

impl Manifest {
    /// Reads the text of a `paas.toml` that stands alone.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        Self::read(&[ManifestFile { name: FILE, text }])
    }

    /// Reads files that say something of the same app; an earlier one counts before a later one, key
    /// by key.
    pub fn read(files: &[ManifestFile<'_>]) -> Result<Self, ManifestError> {
        let documents = files.iter().map(|file| Document::parse(*file));
        let documents = documents.collect::<Result<Vec<_>, _>>()?;
        let mut manifest = Self::default();
        let mut top = Section::top(&documents);
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
        if let Some(section) = top.section("volume")? {
            volume::volumes(&section, &mut manifest.processes)?;
        }
        if let Some(section) = top.section("deploy")? {
            manifest.deploy = deploy::deploy(section)?;
        }
        if let Some(section) = top.section("cron")? {
            manifest.cron = cron::jobs(&section)?;
        }
        if let Some(section) = top.section("build")? {
            manifest.build = build::build(section)?;
        }
        if let Some(section) = top.section("secrets")? {
            manifest.secrets = secrets::secrets(section)?;
        }
        if let Some(section) = top.section("files")? {
            manifest.files = section.files()?;
        }
        if let Some(section) = top.section("http")? {
            (manifest.http, manifest.pages) = http::http(section)?;
        }
        if let Some(section) = top.section("private")? {
            manifest.private = private::private(section)?;
        }
        top.finish()?;
        Ok(manifest)
    }

    /// Takes from another what this one is silent about.
    pub fn fill(&mut self, other: Self) {
        for (key, value) in other.env {
            self.env.entry(key).or_insert(value);
        }
        let has_volumes = self.processes.values().any(|it| !it.volumes.is_empty());
        for (name, mut process) in other.suggested {
            if has_volumes {
                process.volumes.clear();
            }
            self.suggested.entry(name).or_default().fill(process);
        }
        if self.build.way == BuildWay::Found {
            self.build.way = other.build.way;
        }
        for (key, value) in other.build.args {
            self.build.args.entry(key).or_insert(value);
        }
        // One list is meant as a whole.
        if self.cron.is_empty() {
            self.cron = other.cron;
        }
        self.build.target = self.build.target.take().or(other.build.target);
        let deploy = &mut self.deploy;
        deploy.release = deploy.release.take().or(other.deploy.release);
        deploy.release_timeout = deploy.release_timeout.or(other.deploy.release_timeout);
        deploy.timeout = deploy.timeout.or(other.deploy.timeout);
        deploy.strategy = deploy.strategy.or(other.deploy.strategy);
        self.secrets.generate.extend(other.secrets.generate);
        self.http.redirect = self.http.redirect.or(other.http.redirect);
        if self.http.protocol == HttpProtocol::default() {
            self.http.protocol = other.http.protocol;
        }
    }
}

/// The manifest's name in an app's folder.
pub const FILE: &str = "paas.toml";

/// The most bytes that a file may have which says something of an app.
pub const MAX_FILE: u64 = 256 << 10;

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
    let process = ManifestProcess {
        command: section.text("command")?,
        port: section.port("port")?,
        scale: section.count("scale", MAX_SCALE)?,
        memory: section.memory("memory")?,
        cpu_millis: section.cores("cpu")?,
        stop_timeout: section.duration("stop_timeout")?,
        strategy: section.parsed("strategy")?,
        health: section.section("health")?.map(health::health).transpose()?.unwrap_or_default(),
        liveness: section.section("liveness")?.map(health::liveness).transpose()?,
        volumes: BTreeMap::new(),
        place: section.section("place")?.map(|it| it.labels()).transpose()?.unwrap_or_default(),
    };
    section.finish()?;
    Ok(process)
}

#[cfg(test)]
mod tests;
