//! Who besides an app itself finds it by its private names, and whether anybody finds it otherwise: the section
//! `[private]` of `paas.toml`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::AppName;

/// It is part of a release, so that it goes back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrivateSettings {
    /// Other apps whose containers find and reach its instances.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<AppName>,
    /// No host of the edge leads to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only: bool,
}

impl PrivateSettings {
    /// Whether it is as with nothing said.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whose containers reach an app that no host leads to, and by which name; for people.
    pub fn reached_by(&self, app: &AppName) -> String {
        let who: Vec<&str> = self.allow.iter().map(AppName::as_str).collect();
        let others =
            if who.is_empty() { String::new() } else { format!(" and {}", who.join(", ")) };
        format!("containers of {app}{others} find it as {app}.internal")
    }
}
