//! A token: who may speak to the API. Only a keyed hash of its secret is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actor, Timestamp};

/// The public half of a token, 8 hexadecimal digits; `paas_<id>_<secret>` is what the user holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub String);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public half.
    pub id: TokenId,
    /// Whom it stands for.
    pub name: Actor,
    /// HMAC-SHA-256 of the secret under the server's key, in hexadecimal digits.
    pub hash: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
}
