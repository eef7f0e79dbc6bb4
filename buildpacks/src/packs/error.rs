//! Why one of our buildpacks cannot go on, in words for the person who deploys.

use std::io;
use std::path::PathBuf;

use crate::toolchain::{Refusal, ToolchainError};

/// A buildpack's failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// The app must change: what is wrong, because of what, and what to do.
    #[error("{reason}")]
    App { reason: String, hint: String },
    /// A program that builds the app failed; its own output is already in the log.
    #[error("{0}")]
    Tool(String),
    /// No such runtime.
    #[error("cannot provide {what}")]
    Toolchain { what: String, source: ToolchainError },
    /// The machine failed.
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
    /// The lifecycle called us in a way that the contract does not have.
    #[error("the buildpack was called without {0}")]
    Called(&'static str),
}

impl PackError {
    /// The app must change.
    pub(crate) fn app(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::App { reason: reason.into(), hint: hint.into() }
    }

    /// For `map_err` on operations on `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// The lines of the reason: the chain of causes.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.to_string().lines().map(str::to_owned).collect();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            lines.push(cause.to_string());
            source = cause.source();
        }
        if let Self::Toolchain { source: ToolchainError::Refused(Refusal { nearest, .. }), .. } =
            self
            && !nearest.is_empty()
        {
            lines.push(format!("the nearest versions are {}", nearest.join(", ")));
        }
        lines
    }

    /// What to do, where we know.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::App { hint, .. } => Some(hint),
            Self::Toolchain { source: ToolchainError::Refused(refusal), .. } => {
                refusal.hint.as_deref()
            }
            Self::Toolchain { .. } | Self::Tool(_) | Self::Io { .. } | Self::Called(_) => None,
        }
    }
}
