//! Why a name has no certificate yet, in words for its owner.

use std::time::Duration;

use crate::{
    acme::{AcmeError, Fault},
    model::DomainName,
    pki::MadeError,
    store::{SealingError, StoreError},
    telemetry::chain,
};

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What kind.
    pub(super) kind: FailureKind,
    /// What went wrong.
    pub(super) reason: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
    /// The wait that the authority asks for.
    pub(super) patience: Option<Duration>,
}

/// What kind of failure, for what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The name does not lead here; nothing was spent.
    Preflight,
    /// The authority did not find the proof.
    Proof,
    /// The same, but of an order that was begun by a daemon that died: it may have looked while
    /// nobody answered, so the next attempt begins at once.
    Interrupted,
    /// Something about the name or the order.
    Name,
    /// The authority's fault.
    Authority,
    /// The authority does not know or want our account.
    Account,
    /// Ours: the disk, a key.
    Ours,
}

impl Failure {
    /// The name does not lead here.
    pub(super) fn preflight(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Preflight,
            reason: reason.into(),
            hint: Some(hint.into()),
            patience: None,
        }
    }

    /// What an authority said about this name.
    pub(super) fn acme(name: &DomainName, error: &AcmeError) -> Self {
        let hint = match error {
            AcmeError::Proof { .. } => {
                Some(format!("`paas domains check {name}` shows where it leads"))
            }
            AcmeError::Name { .. } => Some(format!(
                "look for a CAA record at {name} that names another authority, or bring a \
                 certificate: `paas certs add {name} --cert FILE --key FILE`"
            )),
            AcmeError::Account { .. }
            | AcmeError::Unreachable { .. }
            | AcmeError::Busy { .. }
            | AcmeError::Order { .. }
            | AcmeError::Answer { .. } => None,
        };
        let own = Self::authority(error);
        Self { hint: hint.or(own.hint), ..own }
    }

    /// What an authority said about our account, or did not say.
    pub(super) fn authority(error: &AcmeError) -> Self {
        let kind = match error {
            AcmeError::Proof { .. } => FailureKind::Proof,
            AcmeError::Account { .. } => FailureKind::Account,
            _ if error.fault() == Fault::Authority => FailureKind::Authority,
            _ => FailureKind::Name,
        };
        let hint = match error {
            AcmeError::Account { .. } => Some(
                "check `acme_email` and `acme_external` in the server's config.toml".to_owned(),
            ),
            AcmeError::Unreachable { .. } => {
                Some("check that this server reaches the internet on port 443".to_owned())
            }
            AcmeError::Proof { .. }
            | AcmeError::Name { .. }
            | AcmeError::Busy { .. }
            | AcmeError::Order { .. }
            | AcmeError::Answer { .. } => None,
        };
        let patience = match error {
            AcmeError::Busy { after, .. } => Some(after.unwrap_or(BUSY)),
            AcmeError::Account { .. } => Some(ACCOUNT),
            AcmeError::Unreachable { .. } => Some(UNREACHABLE),
            AcmeError::Proof { .. }
            | AcmeError::Name { .. }
            | AcmeError::Order { .. }
            | AcmeError::Answer { .. } => None,
        };
        Self { kind, reason: error.to_string(), hint, patience }
    }

    /// The same failure of an order that an earlier daemon had begun.
    pub(super) fn of_continued(self) -> Self {
        match self.kind {
            FailureKind::Proof => Self { kind: FailureKind::Interrupted, ..self },
            FailureKind::Preflight
            | FailureKind::Interrupted
            | FailureKind::Name
            | FailureKind::Authority
            | FailureKind::Account
            | FailureKind::Ours => self,
        }
    }

    fn ours(error: &dyn std::error::Error) -> Self {
        Self { kind: FailureKind::Ours, reason: chain(error), hint: None, patience: None }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::ours(&error)
    }
}

impl From<MadeError> for Failure {
    fn from(error: MadeError) -> Self {
        Self::ours(&error)
    }
}

impl From<SealingError> for Failure {
    fn from(error: SealingError) -> Self {
        Self::ours(&error)
    }
}

/// An authority that asks for patience without saying how long.
const BUSY: Duration = Duration::from_mins(5);
/// Before another account is tried: authorities count new accounts too.
const ACCOUNT: Duration = Duration::from_mins(10);
/// One that does not answer need not be asked by every name at once.
const UNREACHABLE: Duration = Duration::from_secs(5);
