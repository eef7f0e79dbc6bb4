//! What an authority says no with, sorted by what there is to do about it.

use std::time::Duration;

use instant_acme::{Error, Problem};

use crate::acme::client::Failure;

/// Why an authority did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcmeError {
    /// It could not be asked.
    #[error("{directory} cannot be reached: {reason}")]
    Unreachable {
        /// The authority's directory.
        directory: String,
        /// Why, in words.
        reason: String,
    },
    /// It wants to be left alone for a while.
    #[error("the authority asks for patience: {reason}")]
    Busy {
        /// In its words.
        reason: String,
        /// How long, if it said so.
        after: Option<Duration>,
    },
    /// It looked for the proof and did not find it.
    #[error("{reason}")]
    Proof {
        /// In its words.
        reason: String,
    },
    /// It will not issue for this name, whatever is proved.
    #[error("the authority refuses the name: {reason}")]
    Name {
        /// In its words.
        reason: String,
    },
    /// It wants no business with this account.
    #[error("the authority refuses the account: {reason}")]
    Account {
        /// In its words.
        reason: String,
    },
    /// The order is gone or cannot be fulfilled any more.
    #[error("the order came to nothing: {reason}")]
    Order {
        /// In its words.
        reason: String,
    },
    /// Its answer makes no sense, or it failed by itself.
    #[error("the authority failed: {reason}")]
    Answer {
        /// What came.
        reason: String,
    },
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The authority's: another one might do it.
    Authority,
    /// The name's, or ours: another authority would say the same.
    Name,
}

impl AcmeError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Account { .. }
            | Self::Answer { .. } => Fault::Authority,
            Self::Proof { .. } | Self::Name { .. } | Self::Order { .. } => Fault::Name,
        }
    }

    pub(super) fn of(directory: &str, error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::of_problem(&problem),
            Error::Timeout(_) => Self::Answer { reason: "it did not decide in time".to_owned() },
            Error::Other(other) => match other.downcast::<Failure>() {
                Ok(failure) => Self::of_failure(directory, *failure),
                Err(other) => Self::Answer { reason: other.to_string() },
            },
            error => Self::Answer { reason: error.to_string() },
        }
    }

    fn of_failure(directory: &str, failure: Failure) -> Self {
        match failure {
            Failure::Connection(reason) => {
                Self::Unreachable { directory: directory.to_owned(), reason }
            }
            Failure::Status { status: 429 | 503, reason, after } => Self::Busy { reason, after },
            Failure::Status { status, reason, .. } => {
                Self::Answer { reason: format!("status {status}: {reason}") }
            }
        }
    }

    /// By the type of its problem document (RFC 8555 section 6.7).
    pub(super) fn of_problem(problem: &Problem) -> Self {
        let reason = words(problem);
        let kind = problem.r#type.as_deref().unwrap_or_default();
        match kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind) {
            "rateLimited" => Self::Busy { reason, after: None },
            "dns" | "connection" | "incorrectResponse" | "tls" | "unauthorized" => {
                Self::Proof { reason }
            }
            "caa" | "rejectedIdentifier" | "unsupportedIdentifier" => Self::Name { reason },
            "accountDoesNotExist"
            | "externalAccountRequired"
            | "userActionRequired"
            | "invalidContact"
            | "unsupportedContact" => Self::Account { reason },
            "orderNotReady" | "alreadyReplaced" | "badCSR" => Self::Order { reason },
            _ if problem.status == Some(404) => Self::Order { reason },
            _ => Self::Answer { reason },
        }
    }
}

/// A problem document in words: what it says of each name, else what it says at all.
pub(super) fn words(problem: &Problem) -> String {
    let details: Vec<&str> =
        problem.subproblems.iter().filter_map(|sub| sub.detail.as_deref()).collect();
    let text = match (details.as_slice(), problem.detail.as_deref(), problem.r#type.as_deref()) {
        ([], Some(detail), _) => detail.to_owned(),
        ([], None, kind) => kind.unwrap_or("it does not say why").to_owned(),
        (details, ..) => details.join("; "),
    };
    shorten(&text)
}

/// An authority's words end up in records and on terminals.
pub(super) fn shorten(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).take(MOST_WORDS).collect()
}

const MOST_WORDS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, expected: &AcmeError) {
        let problem: Problem = serde_json::from_str(document).unwrap();
        assert_eq!(&AcmeError::of_problem(&problem), expected);
    }

    #[test]
    fn a_problem_says_what_to_do() {
        let reason = |text: &str| text.to_owned();
        check(
            r#"{"type":"urn:ietf:params:acme:error:unauthorized","detail":"404 at /x","status":403}"#,
            &AcmeError::Proof { reason: reason("404 at /x") },
        );
        check(
            r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no",
                "subproblems":[{"type":"x","detail":"bank.example is forbidden"}]}"#,
            &AcmeError::Name { reason: reason("bank.example is forbidden") },
        );
        check(
            r#"{"type":"urn:ietf:params:acme:error:malformed","detail":"gone","status":404}"#,
            &AcmeError::Order { reason: reason("gone") },
        );
        check(
            r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"slow down"}"#,
            &AcmeError::Busy { reason: reason("slow down"), after: None },
        );
        check("{}", &AcmeError::Answer { reason: reason("it does not say why") });
    }
}
