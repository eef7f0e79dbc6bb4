//! Secrets: what may be told of them, and what is asked. Values go one way only.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Secret {
    /// The variable.
    pub name: String,
    /// Changes with the value, and tells nothing else of it.
    pub digest: String,
    /// When it was set.
    pub set_at: String,
    /// By whom.
    pub by: String,
}

/// What a rotation of the sealing key came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rotation {
    /// Records that were sealed anew.
    pub records: u64,
}

/// Asks for other secrets: it makes a release and rolls it out, if there is one already.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SecretsPatch {
    /// Name → new value; `null` removes the name.
    #[serde(default)]
    pub values: BTreeMap<String, Option<String>>,
    /// Names of the app's config that become secrets, with the values that they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_config: Vec<String>,
    /// Keep it for the next release instead of making one.
    #[serde(default, skip_serializing_if = "crate::releases::is_now")]
    pub stage: bool,
}

/// Names only.
impl fmt::Debug for SecretsPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsPatch")
            .field("names", &self.values.keys())
            .field("from_config", &self.from_config)
            .field("stage", &self.stage)
            .finish()
    }
}
