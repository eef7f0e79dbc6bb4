//! Certificates: what the edge proves names with, and how far each of them is.

use serde::{Deserialize, Serialize};

/// The certificate of one name, or the wish for one. Its key never leaves the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// The name.
    pub name: String,
    /// Who cares for it: `acme`, or `supplied` for the user.
    pub source: String,
    /// One word: `wanted`, `ordering`, `issued`, `renewing`, `failing`.
    pub state: String,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
    /// When the next attempt begins, or the next certificate is asked for.
    pub next: Option<String>,
    /// Who signed what is presented now; nothing is if this is `null`.
    pub issuer: Option<String>,
    /// The names that it is for.
    pub names: Vec<String>,
    /// Its serial number in hexadecimal digits.
    pub serial: Option<String>,
    /// When it begins to be valid.
    pub not_before: Option<String>,
    /// When it ends.
    pub expires: Option<String>,
}

/// Brings a certificate of the user's own. Its key is stored sealed and never given out again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SupplyCertificate {
    /// The chain in PEM, the name's own certificate first.
    pub chain: String,
    /// Its private key in PEM.
    pub key: String,
}

impl std::fmt::Debug for SupplyCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SupplyCertificate").field("chain", &self.chain).finish_non_exhaustive()
    }
}
