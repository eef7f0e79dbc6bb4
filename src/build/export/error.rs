//! Why a finished build could not be made an image.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt};

use crate::{engine::EngineError, model::ByteSize};

/// Why a finished build could not be made an image.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk did not do its part.
    #[error("cannot read `{path}` of the finished build")]
    Read {
        /// What was read.
        path: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// A layer could not be written to a temporary file.
    #[error("cannot write a layer of the image")]
    Write(#[source] io::Error),
    /// There is no room.
    #[error("there is no space left on the server's disk to make the image")]
    DiskFull,
    /// The build made more than an image may hold.
    #[error("the build left {what} at `{path}`")]
    Excess {
        /// Of what there is too much.
        what: Excess,
        /// Where.
        path: String,
    },
    /// The agent, which shares its container with the app's code, said something impossible.
    #[error("the build named {what} badly: `{name}`")]
    Claim {
        /// What was named.
        what: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// A layer of the last image is needed, and Docker has it no longer.
    #[error("the layer `{layer}` of the last image is gone")]
    Lost {
        /// Its path in the image.
        layer: String,
    },
    /// The image was loaded, and then it was not there.
    #[error("Docker took the image and does not have it")]
    Vanished,
    /// Docker did not do it.
    #[error("Docker did not take the image")]
    Engine(#[from] EngineError),
}

/// What a build can make too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Folders in folders.
    #[error("folders nested deeper than {0}")]
    Depth(usize),
    /// Files and folders.
    #[error("more than {0} files")]
    Entries(u64),
    /// Bytes.
    #[error("more than {0} in one layer")]
    Bytes(ByteSize),
    /// A file that is mostly holes.
    #[error("a sparse file")]
    Sparse,
    /// A file that shrank while it was read.
    #[error("a file that still changes")]
    Changing,
}

impl ExportError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Excess { .. } => "let the build remove what the app does not need to run",
            Self::DiskFull | Self::Engine(EngineError::DiskFull { .. }) => {
                "see what takes the space with `docker system df` and `df -h` on the server"
            }
            Self::Lost { .. } => "deploy again; the layer will be made anew",
            Self::Engine(_) | Self::Vanished => "see that Docker runs: `docker info`",
            Self::Read { .. } | Self::Write(_) | Self::Claim { .. } => {
                "deploy again; if it stays, see the server's log"
            }
        }
    }

    pub(in crate::build) fn read(path: &[u8], source: io::Error) -> Self {
        Self::Read { path: shown(path), source }
    }

    pub(in crate::build) fn write(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Write(source),
        }
    }

    pub(super) fn excess(path: &[u8], what: Excess) -> Self {
        Self::Excess { what, path: shown(path) }
    }

    pub(super) fn claim(what: &'static str, name: impl AsRef<OsStr>) -> Self {
        Self::Claim { what, name: shown(name.as_ref().as_bytes()) }
    }
}

/// A name that hostile code chose, fit for a terminal.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().take(200).collect()
}
