//! Why an image that was pushed cannot be an app.

use std::io;

use crate::model::{BlobDigest, ByteSize};

/// Why an image that was pushed cannot be an app.
#[derive(Debug, thiserror::Error)]
pub enum PushedError {
    /// The files of the push are not there, or not as they were.
    #[error("the image that was pushed cannot be read")]
    Read(#[source] io::Error),
    /// Its configuration is no such thing.
    #[error("the configuration of the image that was pushed cannot be read: {0}")]
    Configuration(String),
    /// It has other layers than its configuration says.
    #[error("the image that was pushed has {found} layers, and its configuration says {said}")]
    Layers {
        /// How many it has.
        found: usize,
        /// How many it says.
        said: usize,
    },
    /// A layer is damaged, or compressed in a way that is not known.
    #[error("the layer {blob} of the image that was pushed cannot be unpacked")]
    Damaged {
        /// Which.
        blob: BlobDigest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A layer is another than the configuration says.
    #[error("the layer {blob} of the image that was pushed is not what its configuration says")]
    Another {
        /// Which.
        blob: BlobDigest,
    },
    /// It takes too much of the disk.
    #[error("the layers of the image that was pushed are larger than {limit}, unpacked")]
    Large {
        /// What a build may use.
        limit: ByteSize,
    },
}

impl PushedError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Read(_) => "push it again: `docker push`",
            Self::Configuration(_)
            | Self::Layers { .. }
            | Self::Damaged { .. }
            | Self::Another { .. } => "make the image anew, `docker build`, and push that",
            Self::Large { .. } => {
                "allow more with `build_disk` in the server's config.toml, or make the image smaller"
            }
        };
        hint.to_owned()
    }
}
