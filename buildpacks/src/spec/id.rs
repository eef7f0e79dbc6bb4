//! The name of a buildpack, such as `paas/nodejs`.
//!
//! Invariant: a parsed id is safe as one path component once [`BuildpackId::escaped`]. Versions,
//! on the other hand, are opaque text: in the wild they are not always semantic versions.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A buildpack's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct BuildpackId(String);

/// Names that would collide with the lifecycle's own folders under `/layers`.
const RESERVED: [&str; 4] = ["app", "config", "generated", "sbom"];

impl BuildpackId {
    /// Parses an id by the grammar of `buildpack.toml`.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAnId> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
        let dots = text.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.'));
        if text.is_empty() || !text.chars().all(fits) || dots || RESERVED.contains(&text) {
            return Err(NotAnId(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a folder name: `/` becomes `_`.
    pub(crate) fn escaped(&self) -> String {
        self.0.replace('/', "_")
    }
}

impl fmt::Display for BuildpackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot name a buildpack.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` cannot be a buildpack's id: letters, digits, `.`, `/` and `-` only, and not a reserved word"
)]
pub(crate) struct NotAnId(String);

impl<'de> Deserialize<'de> for BuildpackId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_folder_names() {
        assert_eq!(BuildpackId::parse("paas/nodejs").unwrap().escaped(), "paas_nodejs");
        for bad in ["", "..", "a/../b", "/a", "config", "a b", "a\0"] {
            assert!(BuildpackId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
