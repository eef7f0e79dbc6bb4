//! Keys that users push with over SSH, and the server's own.

use serde::{Deserialize, Serialize};

/// Who may push over SSH, and what the server proves itself with there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Keys {
    /// By name.
    pub keys: Vec<Key>,
    /// The SSH server; `null` where there is none.
    pub host: Option<SshHost>,
}

/// A key that somebody pushes with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Key {
    /// What people call it.
    pub name: String,
    /// Its kind, for example `ssh-ed25519`.
    pub kind: String,
    /// What it is recognised by, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// Its public half, as a `.pub` file has it.
    pub key: String,
    /// Who added it; what is done with it, they do.
    pub by: String,
    /// When it was added.
    pub added_at: String,
}

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SshHost {
    /// Where it listens.
    pub port: u16,
    /// Its public key, as a line of `known_hosts` has it behind the names.
    pub key: String,
    /// What `ssh` shows of it to people.
    pub fingerprint: String,
}

/// Asks for a key to be recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddKey {
    /// The line of a `.pub` file.
    pub key: String,
    /// What to call it; what its comment says if absent.
    pub name: Option<String>,
}
