//! Why there is no image, in words for people.

use std::{io, time::Duration};

use buildpacks::agent;

use super::{export::ExportError, processes::ProcessesError, variants::VariantError};
use crate::{
    engine::EngineError,
    model::{ByteSize, Exit, manifest::DeclarationError},
};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Somebody stopped it, or a newer build took its place.
    #[error("the build was cancelled")]
    Cancelled,
    /// The app's folders on this machine could not be prepared.
    #[error("cannot prepare the build's folders")]
    Prepare(#[source] io::Error),
    /// What was sent is on the disk of a machine that led before.
    #[error(
        "its source is not on this machine: the one that it was sent to does not lead any more"
    )]
    Left,
    /// There is no room.
    #[error("there is no space left on the server's disk to build")]
    DiskFull,
    /// There is too little room to begin.
    #[error(
        "only {free} are free on the server's disk, where {reserve} are kept free for all else"
    )]
    DiskLow {
        /// What is free.
        free: ByteSize,
        /// The setting; of a small disk it is less.
        reserve: ByteSize,
    },
    /// The app lacks secrets that its manifest asks for.
    #[error("paas.toml asks for secrets that the app does not have: {names}")]
    SecretsMissing {
        /// Which.
        names: String,
    },
    /// The build would keep what it is given.
    #[error("[build] secrets is not for {way}, whose build would keep them in the image")]
    SecretsNotFor {
        /// What makes the image.
        way: &'static str,
    },
    /// It wrote too much.
    #[error("the build took more than its {limit} of the server's disk")]
    Disk {
        /// What it was allowed.
        limit: ByteSize,
    },
    /// A manifest cannot be read, for instance because it is a link.
    #[error("cannot read {file}")]
    ManifestFile {
        /// Its name.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What the files say cannot be followed.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// What the command line said does not fit.
    #[error("{0}")]
    Told(String),
    /// The app's Dockerfile.
    #[error(transparent)]
    Dockerfile(#[from] super::dockerfile::DockerfileError),
    /// The image that was to be the app.
    #[error(transparent)]
    Prebuilt(#[from] super::prebuilt::PrebuiltError),
    /// The image that was pushed.
    #[error(transparent)]
    Pushed(#[from] super::pushed::PushedError),
    /// The image that was to be put upon another run image.
    #[error(transparent)]
    Rebase(#[from] super::rebase::RebaseError),
    /// The builder image, or what its apps run on.
    #[error(transparent)]
    Footing(#[from] super::footing::FootingError),
    /// A buildpack that the app brings.
    #[error(transparent)]
    Brought(super::brought::BroughtError),
    /// The packages that the app needs.
    #[error(transparent)]
    Variant(Box<VariantError>),
    /// A page of `[http.pages]` cannot be read, for instance because it is a link.
    #[error("cannot read the page {path}, which paas.toml names")]
    Page {
        /// Its path in the app's folder.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The pages are too large.
    #[error("the pages and [env] of paas.toml are larger than {limit} bytes together")]
    Pages {
        /// What they may be.
        limit: usize,
    },
    /// The daemon's own end of the connection.
    #[error("cannot listen for the build container")]
    Socket(#[source] io::Error),
    /// It took too long.
    #[error("the build did not end within {}", spoken(*after))]
    Late {
        /// How long was waited.
        after: Duration,
    },
    /// The kernel ended it.
    #[error("the build ran out of memory (limit {limit})")]
    OutOfMemory {
        /// What it was allowed.
        limit: ByteSize,
    },
    /// The container ended.
    #[error("the build container {exit}{}", quoted(tail))]
    Died {
        /// How.
        exit: Exit,
        /// The last lines that it wrote.
        tail: String,
    },
    /// The container runs on, and nobody in it answers.
    #[error("the build container does not answer any more")]
    Silent,
    /// The agent said something that is no frame.
    #[error("the build container sent something that cannot be understood")]
    Gibberish,
    /// A buildpack said no.
    #[error("{}", .0.reason)]
    Failed(agent::Failed),
    /// There is nothing to run.
    #[error(transparent)]
    Processes(ProcessesError),
    /// It was built and could not be made an image.
    #[error(transparent)]
    Export(ExportError),
    /// Docker did not do it.
    #[error(transparent)]
    Engine(EngineError),
    /// What it was could not be kept for the next build.
    #[error("cannot keep the record of the build")]
    Remember(#[source] io::Error),
    /// A part of the daemon failed that should not.
    #[error("the build stopped by a fault of paas itself")]
    Panicked,
}

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Cancelled => return None,
            Self::Failed(failed) => return failed.hint.clone(),
            Self::Declaration(error) => return error.hint().map(str::to_owned),
            Self::Dockerfile(error) => return Some(error.hint()),
            Self::Prebuilt(error) => return Some(error.hint()),
            Self::Pushed(error) => return Some(error.hint()),
            Self::Rebase(error) => return Some(error.hint()),
            Self::Footing(error) => return Some(error.hint()),
            Self::Processes(error) => return Some(error.hint()),
            Self::Export(error) => return Some(error.hint().to_owned()),
            Self::Variant(error) => return Some(error.hint()),
            Self::OutOfMemory { limit } => {
                let twice = limit.0.saturating_mul(2) >> 20;
                return Some(format!("allow more in paas.toml: [build] memory = \"{twice}m\""));
            }
            Self::Disk { limit } => {
                let twice = limit.0.saturating_mul(2) >> 20;
                return Some(format!("allow more in paas.toml: [build] disk = \"{twice}m\""));
            }
            Self::Late { after } => {
                let twice = after.as_secs().saturating_mul(2).div_ceil(60);
                return Some(format!("allow more in paas.toml: [build] timeout = \"{twice}m\""));
            }
            Self::SecretsMissing { names } => {
                return Some(format!("set them: `paas secrets set {names}`"));
            }
            Self::SecretsNotFor { .. } => {
                "have the image made where the secrets are and deploy that, or build with buildpacks"
            }
            Self::Told(_) => "`paas deploy --help` lists what can be said",
            Self::ManifestFile { .. } => "it must be a plain text file of at most 256 KiB",
            Self::Brought(_) => {
                "a buildpack is a folder with buildpack.toml and bin/, a .cnb file, or the image of one"
            }
            Self::Page { .. } => "a page is a plain text file in the folder that is deployed",
            Self::Pages { .. } => "a page is one small file: put images and styles elsewhere",
            Self::DiskLow { .. } => {
                "see what takes the space with `paas status`, and with `df -h` on the server; the \
                 setting is `disk_reserve`"
            }
            Self::DiskFull => "see what takes the space with `df -h` on the server",
            Self::Engine(_) => "see that Docker runs: `docker info`",
            Self::Left | Self::Died { .. } | Self::Silent | Self::Gibberish => {
                "deploy again: `paas deploy`"
            }
            Self::Prepare(_) | Self::Socket(_) | Self::Remember(_) | Self::Panicked => {
                "see the server's log"
            }
        };
        Some(hint.to_owned())
    }

    /// What the lifecycle of buildpacks ends with when this happens in one of its stages.
    pub fn code(&self) -> Option<u8> {
        match self {
            Self::Failed(failed) => Some(failed.code.number()),
            Self::Footing(_) => Some(ANALYZE),
            Self::Export(_) => Some(EXPORT),
            Self::Rebase(_) => Some(REBASE),
            Self::Variant(_) => Some(EXTEND),
            _ => None,
        }
    }

    /// A failure to prepare folders.
    pub(super) fn prepare(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Prepare(source),
        }
    }
}

impl From<EngineError> for BuildError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::DiskFull { .. } => Self::DiskFull,
            other => Self::Engine(other),
        }
    }
}

impl From<VariantError> for BuildError {
    fn from(error: VariantError) -> Self {
        Self::Variant(Box::new(error))
    }
}

impl From<ExportError> for BuildError {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

/// Exit codes of the specification's platform API.
const ANALYZE: u8 = 32;
const EXPORT: u8 = 62;
const REBASE: u8 = 72;
const EXTEND: u8 = 102;

fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn quoted(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!("; its last output was:\n{tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::manifest::Declaration, telemetry::chain};

    #[test]
    fn a_fault_of_the_manifest_is_said_once() {
        let texts = [("paas.toml".to_owned(), "nope = 1\n".to_owned())].into();
        let fault = Declaration::read(&texts, &"shop".parse().unwrap()).unwrap_err();
        let told = chain(&BuildError::from(fault));
        assert_eq!(told, "paas.toml line 1: unknown key `nope`");
    }
}
