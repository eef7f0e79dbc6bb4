//! Why a verb was not carried out, in the three parts that every error shows: what, why, hint.

use crate::{
    model::{AppName, InvalidName, NodeName},
    store::StoreError,
    telemetry::chain,
};

/// A verb that was refused; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Refusal {
    /// What kind, for programs.
    pub kind: RefusalKind,
    /// What was refused.
    pub what: String,
    /// Because of what.
    pub why: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request makes no sense.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Not in this state.
    Conflict,
    /// The store cannot write at present.
    Unavailable,
    /// The disk is full.
    DiskFull,
    /// Our bug.
    Internal,
}

impl Refusal {
    /// A request that makes no sense.
    pub fn invalid(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(RefusalKind::Invalid, what, why)
    }

    /// A thing that does not exist.
    pub fn not_found(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(RefusalKind::NotFound, what, why)
    }

    /// A thing in another state.
    pub fn conflict(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(RefusalKind::Conflict, what, why)
    }

    /// Something that this machine does not let us do at present.
    pub fn unavailable(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(RefusalKind::Unavailable, what, why)
    }

    /// An app that does not exist.
    pub fn no_app(name: &AppName) -> Self {
        Self::not_found(format!("app {name}"), "there is no such app")
            .hint("`paas apps` lists what there is; `paas launch` makes a new one")
    }

    /// A machine that has not joined.
    pub(super) fn unknown_node(name: &NodeName) -> Self {
        Self::not_found(format!("node {name}"), "no machine of that name has joined")
            .hint("`paas nodes` lists those that have")
    }

    /// The same, with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn of(kind: RefusalKind, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: why.into(), hint: None }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Refused { source, .. } | StoreError::Uncertain { source, .. } => {
                if source.is_disk_full() { RefusalKind::DiskFull } else { RefusalKind::Unavailable }
            }
            StoreError::RecordTooLarge { .. } | StoreError::TransactionTooLarge { .. } => {
                RefusalKind::Invalid
            }
            StoreError::Closed
            | StoreError::Abandoned
            | StoreError::Elsewhere { .. }
            | StoreError::Undecided { .. } => RefusalKind::Unavailable,
            StoreError::Encode { .. }
            | StoreError::Unreadable { .. }
            | StoreError::Version { .. }
            | StoreError::UnknownTable { .. } => RefusalKind::Internal,
        };
        let hint = error.hint();
        Self { kind, what: "nothing was changed".to_owned(), why: chain(&error), hint }
    }
}

impl From<InvalidName> for Refusal {
    fn from(error: InvalidName) -> Self {
        Self::invalid(error.kind, error.to_string())
    }
}
