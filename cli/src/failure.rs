//! Why a command did not do what it was asked, and the exit code that tells it to a script.
//!
//! It does not print; `ui` does. A failure names what failed, because of what, and a real command
//! that helps.

use std::process::ExitCode;

use api::Fault;

/// The exit code for a wrong command line.
pub(crate) const USAGE: u8 = 2;
/// The exit code for whatever else goes wrong.
pub(crate) const FAULT: u8 = 1;
/// The same for a command whose exit code is another program's.
pub(crate) const FAULT_BESIDE: u8 = 125;
/// The exit code for a bug of ours.
pub(crate) const BUG: u8 = 70;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that makes no sense.
    #[error("{}", .0.what)]
    Usage(Box<Reason>),
    /// This machine stands in the way.
    #[error("{}", .0.what)]
    Local(Box<Reason>),
    /// The server cannot be reached, or went away in the middle.
    #[error("{}", .0.what)]
    Unreachable(Box<Reason>),
    /// The server refused.
    #[error("{}", .0.message)]
    Refused(Box<Fault>),
    /// Whoever read our output has gone; that is their right and not worth a word.
    #[error("the reader of the output has gone")]
    Unread,
    /// The program that was run ended with this code, and has said whatever there is to say.
    #[error("the program ended with code {0}")]
    Ended(u8),
    /// All that is to be said stands on the screen already.
    #[error("told already")]
    Told,
}

/// What failed, because of what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// What failed.
    pub(crate) what: String,
    /// Because of what.
    pub(crate) because: Option<String>,
    /// What to do, with a real command.
    pub(crate) hint: Option<String>,
}

impl Reason {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), because: None, hint: None }
    }
}

impl Failure {
    /// The command line asks for something that makes no sense.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::Usage(Box::new(Reason::new(what)))
    }

    /// This machine stands in the way.
    pub(crate) fn local(what: impl Into<String>) -> Self {
        Self::Local(Box::new(Reason::new(what)))
    }

    /// The server cannot be reached.
    pub(crate) fn unreachable(what: impl Into<String>) -> Self {
        Self::Unreachable(Box::new(Reason::new(what)))
    }

    /// Adds the cause.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "an error is handed over where it ends")]
    pub(crate) fn because(mut self, cause: impl ToString) -> Self {
        if let Self::Usage(reason) | Self::Local(reason) | Self::Unreachable(reason) = &mut self {
            reason.because = Some(cause.to_string());
        }
        self
    }

    /// Adds what to do; a refusal keeps the server's own advice, which knows more.
    #[must_use]
    pub(crate) fn hint(mut self, advice: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage(reason) | Self::Local(reason) | Self::Unreachable(reason) => {
                reason.hint = Some(advice.into());
            }
            Self::Refused(fault) => fault.hint = fault.hint.take().or_else(|| Some(advice.into())),
            Self::Unread | Self::Ended(_) | Self::Told => {}
        }
        self
    }

    /// What the process ends with; `fault` for what is neither its user's nor another program's.
    pub(crate) fn code(&self, fault: u8) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(USAGE),
            Self::Local(_) | Self::Unreachable(_) | Self::Refused(_) | Self::Told => {
                ExitCode::from(fault)
            }
            Self::Ended(code) => ExitCode::from(*code),
            Self::Unread => ExitCode::SUCCESS,
        }
    }
}
