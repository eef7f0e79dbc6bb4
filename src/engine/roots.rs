//! Root filesystems made of a pulled image: what is asked for, and why there are none.

use std::{path::PathBuf, time::Duration};

use super::EngineError;
use crate::model::Exit;

/// A root filesystem to make of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// What it is called among those made together; part of a container's name.
    pub name: &'static str,
    /// The shell script that changes the image; it runs as root, with a network.
    pub script: String,
    /// Where its tar goes, or of a change, the folder that the script sees at `/out`. A file that
    /// was begun is left to the caller, who chose its place.
    pub into: PathBuf,
}

/// Why there are no root filesystems.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The registry said nothing.
    #[error("no image registry answered for {reference} within {after:?}")]
    Silent {
        /// The image.
        reference: String,
        /// How long was waited.
        after: Duration,
    },
    /// The registry cannot be reached, or does not give the image.
    #[error("the image {reference} cannot be pulled")]
    Pull {
        /// The image.
        reference: String,
        /// Docker's words.
        #[source]
        source: EngineError,
    },
    /// A script failed in it.
    #[error("the {name} image could not be made of {reference}: {exit}: {last}")]
    Script {
        /// Which root.
        name: &'static str,
        /// The image.
        reference: String,
        /// How the script ended.
        exit: Exit,
        /// Its last lines.
        last: String,
    },
    /// A script did not end.
    #[error("the {name} image was not made of {reference} within {after:?}")]
    TooLong {
        /// Which root.
        name: &'static str,
        /// The image.
        reference: String,
        /// How long was waited.
        after: Duration,
    },
    /// Docker itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
