//! Why a backup was not made, or is not had back.

use std::io;

use super::KeysError;
use crate::{model::ByteSize, telemetry::chain};

/// Why a backup was not made, or is not had back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nowhere to keep them.
    #[error("this server has no place for backups")]
    Nowhere,
    /// The place does not do what it is to do.
    #[error("`{name}` cannot be {operation} at the place of backups")]
    Place {
        /// What was to be done.
        operation: &'static str,
        /// With what.
        name: String,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// The keys of this server.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// It is encrypted to a key that this server does not have.
    #[error("it is encrypted to the key {key}, and this server does not have that")]
    Key {
        /// Its public half.
        key: String,
    },
    /// It is not what was stored.
    #[error("it is damaged: {reason}")]
    Damaged {
        /// How that shows.
        reason: String,
    },
    /// There is something in it that nobody packs.
    #[error("it holds `{name}`, {fault}")]
    Strange {
        /// What.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A file or folder on this machine.
    #[error("`{name}` cannot be {operation}")]
    Entry {
        /// What was to be done.
        operation: &'static str,
        /// With which.
        name: String,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// The disk would be too full.
    #[error("{free} of the disk are free, and {reserve} are to stay so")]
    Full {
        /// What is left.
        free: ByteSize,
        /// What is to be.
        reserve: ByteSize,
    },
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
}

impl BackupError {
    /// What to do about it, where that is more than looking at the place.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Nowhere => Some(
                "set `backup_to = \"/mnt/backups\"` or `\"s3://BUCKET\"` in the server's \
                 config.toml, and restart it",
            ),
            Self::Key { .. } => {
                Some("`paas backups key --import FILE` adds the key of the other server")
            }
            Self::Full { .. } => Some("`paas status` shows what the disk is used for"),
            Self::Damaged { .. } => {
                Some("take another one: `paas volumes backups VOLUME` lists them")
            }
            Self::Place { .. }
            | Self::Keys(_)
            | Self::Strange { .. }
            | Self::Entry { .. }
            | Self::Stopped => None,
        }
    }

    /// About what came back, and how that shows.
    pub(super) fn damaged(error: impl std::error::Error) -> Self {
        Self::Damaged { reason: chain(&error) }
    }

    /// About a name at the place.
    pub(super) fn place(
        operation: &'static str,
        name: &str,
    ) -> impl FnOnce(io::Error) -> BackupError {
        let name = name.to_owned();
        move |source| Self::Place { operation, name, source }
    }
}
