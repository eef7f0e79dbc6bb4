//! Why git could not do what it was asked.

use std::{io, time::Duration};

/// Why git could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no such program.
    #[error("git is not installed on the server")]
    Missing,
    /// It cannot be run, or its folder cannot be used.
    #[error("{what}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("git {what} failed: {said}")]
    Failed {
        /// The command.
        what: String,
        /// The last line that it wrote.
        said: String,
    },
    /// It did not end in time.
    #[error("git {what} did not end within {} s", after.as_secs())]
    Slow {
        /// The command.
        what: String,
        /// The limit.
        after: Duration,
    },
    /// It wrote more than is looked at.
    #[error("git {what} has more to say than is looked at")]
    TooMuch {
        /// The command.
        what: String,
    },
    /// It wrote what git does not write.
    #[error("git {what} answered something unheard of")]
    Strange {
        /// The command.
        what: &'static str,
    },
}

impl GitError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("on the server: `apt-get install git`"),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("the server's disk is full; `df -h` there shows where")
            }
            Self::Io { .. }
            | Self::Failed { .. }
            | Self::Slow { .. }
            | Self::TooMuch { .. }
            | Self::Strange { .. } => None,
        }
    }
}
