//! A certificate: what the edge proves a domain with, how it was come by, and how far it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DomainName, Timestamp};

/// The certificate of one name, or the wish for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The name, perhaps a wildcard.
    pub name: DomainName,
    /// Who cares for it.
    pub source: CertificateSource,
    /// How far it is.
    pub state: CertificateState,
    /// What is presented now; it stays while it is renewed and while renewing fails.
    pub issued: Option<Issued>,
    /// The alarms that were given about its end, in days before it: 20, 7, 1.
    pub alarms: Vec<u16>,
}

/// Who cares for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// A certificate authority, asked by the platform itself.
    Acme,
    /// The user, who brings another one before it ends.
    Supplied,
}

/// How far a certificate is, in the order of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CertificateState {
    /// It shall be asked for.
    Wanted,
    /// The authority is proving that the name is ours.
    Ordering {
        /// The authority's directory.
        directory: String,
        /// The order's URL, by which a daemon that starts again goes on.
        order: String,
        /// The private key it is for, sealed with the name as its context.
        key: Sealed,
        /// Since when.
        since: Timestamp,
    },
    /// It is presented.
    Issued,
    /// It is presented, and its successor is being ordered.
    Renewing {
        /// See `Ordering`.
        directory: String,
        /// See `Ordering`.
        order: String,
        /// See `Ordering`.
        key: Sealed,
        /// See `Ordering`.
        since: Timestamp,
    },
    /// The last attempt failed.
    Failing {
        /// How many in a row.
        attempts: u32,
        /// What went wrong, for people.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
        /// When the next attempt begins.
        next: Timestamp,
    },
}

/// A certificate as an authority or a user gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The chain in PEM, the name's own certificate first.
    pub chain: String,
    /// The private key in PEM, sealed with the name as its context.
    pub key: Sealed,
    /// The names it is for.
    pub names: Vec<String>,
    /// Who signed it, for people.
    pub issuer: String,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// When its successor is to be asked for; `None` for the user's own.
    pub renew_at: Option<Timestamp>,
}

/// What the issuer of a user's own certificate said of it last (OCSP, RFC 6960). Nothing in it is
/// secret: every visitor is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerWord {
    /// The certificate's name.
    pub name: DomainName,
    /// The serial number of the certificate that it is about.
    pub serial: String,
    /// Its word that the certificate is good, to be sent along with it; `None` if it said otherwise,
    /// or nothing.
    pub good: Option<Vouched>,
    /// How many questions in a row were not answered.
    pub attempts: u32,
    /// When it is asked again; `None` where the certificate names nobody who could be.
    pub next: Option<Timestamp>,
}

/// An issuer's signed word that a certificate is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// The whole answer, DER in base64.
    pub response: String,
    /// Since when it is so.
    pub from: Timestamp,
    /// When the word ends.
    pub until: Timestamp,
}

/// An account at a certificate authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeAccount {
    /// The authority's directory.
    pub directory: String,
    /// The account's key and address, sealed with the directory as their context.
    pub credentials: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
    /// When orders were placed lately, oldest first: what budgets are counted by.
    pub orders: Vec<Timestamp>,
    /// Not to be asked before this: it said so (`Retry-After`).
    pub not_before: Option<Timestamp>,
}

/// What authorities were asked for one name lately: what budgets are counted by. It outlives the
/// certificate, since an authority does not forget what was asked when a user takes a domain back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateHistory {
    /// The name.
    pub name: DomainName,
    /// When it was first asked for.
    pub since: Timestamp,
    /// When certificates were issued in the last week, oldest first.
    pub issued: Vec<Timestamp>,
    /// When a proof was refused in the last hour, oldest first.
    pub refused: Vec<Timestamp>,
    /// How many attempts in a row had failed when the last order was placed.
    pub attempts: u32,
    /// How many attempts in a row failed by the authority's fault; every few of them the next
    /// authority is asked.
    pub faults: u32,
}

/// Something secret in a form that may be stored: encrypted and bound to its context, in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

impl CertificateState {
    /// The state in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Ordering { .. } => "ordering",
            Self::Issued => "issued",
            Self::Renewing { .. } => "renewing",
            Self::Failing { .. } => "failing",
        }
    }
}
