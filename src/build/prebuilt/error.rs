//! Why an image that is there already cannot be an app.

use crate::{
    engine::EngineError,
    model::{ImageId, ImageReference},
};

/// Why an image that is there already cannot be an app.
#[derive(Debug, thiserror::Error)]
pub enum PrebuiltError {
    /// It is neither here nor to be had.
    #[error("the image {reference} is not in this server's Docker, and cannot be pulled")]
    Absent {
        /// Which.
        reference: ImageReference,
        /// What Docker said.
        #[source]
        source: EngineError,
    },
    /// It is for other machines.
    #[error("the image {reference} is for {what}, and this server is {here}")]
    Platform {
        /// Which.
        reference: ImageReference,
        /// Its system and architecture.
        what: String,
        /// This machine's.
        here: String,
    },
    /// It is made to be built upon.
    #[error(
        "the image {reference} has {count} ONBUILD instructions: it is made to be built upon, not to run"
    )]
    Triggers {
        /// Which.
        reference: ImageReference,
        /// How many there are.
        count: usize,
    },
    /// It does not say what to run.
    #[error("the image has neither ENTRYPOINT nor CMD, and nothing else says what to run")]
    NoCommand,
    /// A Procfile that cannot be read.
    #[error("{0}")]
    Procfile(String),
    /// It was there a moment ago.
    #[error("Docker has lost the image {0}")]
    Vanished(ImageId),
}

impl PrebuiltError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Absent { reference, .. } => {
                format!("make this work on the server: `docker pull {reference}`")
            }
            Self::Platform { here, .. } => {
                format!("build it for this server: `docker build --platform {here} .`")
            }
            Self::Triggers { reference, .. } => {
                format!(
                    "write a Dockerfile that begins with `FROM {reference}`, and deploy its folder"
                )
            }
            Self::NoCommand => {
                "say it in paas.toml: [process.web] command = \"…\"; or in the Dockerfile: CMD"
                    .to_owned()
            }
            Self::Procfile(_) => {
                "write one process a line, as in `worker: node jobs.js`".to_owned()
            }
            Self::Vanished(_) => "deploy again: `paas deploy`".to_owned(),
        }
    }
}
