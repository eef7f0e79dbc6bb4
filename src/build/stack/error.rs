//! Why there is no stack, and what a person can do about it.
//!
//! Each variant is one thing that a caller or a person would do something different about.

use super::recipe::Flavour;
use std::io;
use std::path::PathBuf;

/// Why there is no stack.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The keyring that vouches for Debian is not installed.
    #[error("Debian's archive keyring {path} is missing")]
    NoKeyring {
        /// Where it should be.
        path: &'static str,
    },
    /// The mirror does not have Debian 13, or does not answer.
    #[error("the Debian mirror {mirror} cannot be used: {because}")]
    Mirror {
        /// Its address.
        mirror: String,
        /// What it said.
        because: String,
    },
    /// mmdebstrap could not be run.
    #[error("mmdebstrap cannot be run")]
    Start(#[source] io::Error),
    /// mmdebstrap failed.
    #[error("mmdebstrap could not make the {flavour} image:\n{last}")]
    Make {
        /// Which image.
        flavour: Flavour,
        /// Its last lines.
        last: String,
    },
    /// mmdebstrap did not end.
    #[error("mmdebstrap did not finish the {flavour} image in half an hour")]
    TooLong {
        /// Which image.
        flavour: Flavour,
    },
    /// The stack's folder cannot be written.
    #[error("the stack folder {path} cannot be used")]
    Folder {
        /// Where it is.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl StackError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoKeyring { .. } => "apt-get install -y debian-archive-keyring",
            Self::Mirror { .. } => "check that apt can reach it: apt-get update",
            Self::Start(_) => "apt-get install -y mmdebstrap debian-archive-keyring",
            Self::Make { last, .. } if last.contains("NO_PUBKEY") => {
                "its keyring is too old: apt-get install -y --only-upgrade debian-archive-keyring"
            }
            Self::Make { last, .. } if last.contains("No space left") => "make room: df -h",
            Self::Make { .. } | Self::TooLong { .. } => {
                "check that apt can reach its mirror: apt-get update"
            }
            Self::Folder { .. } => "check space and permissions: df -h",
        }
    }
}
