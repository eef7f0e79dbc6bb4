//! A secret: a variable of an app's environment whose value nobody is shown again.
//!
//! Each time one is set a new version is recorded, sealed; apps and releases name versions, so that a
//! rollback brings the old value back. Invariant: a value that is open is a [`SecretValue`], which
//! neither prints nor stays in memory once it is dropped.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Actor, AppName, EnvKey, Sealed, Timestamp};

/// Counts what an app's secrets were ever set to, from 1; a number is given out once, whatever the name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SecretVersion(pub u32);

impl SecretVersion {
    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Which version of each secret.
pub type Secrets = BTreeMap<EnvKey, SecretVersion>;

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Whose.
    pub app: AppName,
    /// The variable.
    pub name: EnvKey,
    /// Which version.
    pub version: SecretVersion,
    /// The value, sealed for app, name and version.
    pub sealed: Sealed,
    /// Tells whether two values of this secret are the same, to nobody who lacks the sealing key.
    pub digest: String,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// A value in the open.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes a value; the caller's own copies are the caller's care.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself, for whoever delivers, seals or masks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Values in the open, by the variables they are for.
pub type OpenSecrets = BTreeMap<EnvKey, SecretValue>;

/// The most bytes of one value.
pub const MAX_SECRET_BYTES: usize = 32 << 10;

/// The most secrets of one app.
pub const MAX_SECRETS: usize = 100;

/// The most bytes of all of an app's secrets, as they are stored: the environment of a process has its
/// own limit.
pub const MAX_SECRETS_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_does_not_print() {
        let value = SecretValue::new("swordfish".to_owned());
        assert_eq!(format!("{value:?} {:?}", Sealed("x".to_owned())), "SecretValue(…) Sealed(…)");
        assert_eq!(value.expose(), "swordfish");
    }
}
