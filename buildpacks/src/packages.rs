//! Names of Debian packages, as they go over the wire and into a command line of root.
//!
//! Invariant: a [`Package`] is a plain name with at most a version: no option, no file, no pattern,
//! nothing that a shell or apt would read as anything else.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Debian package, optionally of one version: `figlet`, `g++`, `libvips42t64=8.16.1-1+b1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Package(String);

/// The text is not the name of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a Debian package")]
pub struct InvalidPackage(String);

/// What an app needs beyond the two base images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSets {
    /// In the image that it runs in.
    #[serde(default)]
    pub run: BTreeSet<Package>,
    /// In the image that it is built in.
    #[serde(default)]
    pub build: BTreeSet<Package>,
}

/// The most packages that may be asked for by name.
pub const MAX_PACKAGES: usize = 200;
/// The longest name with its version, in bytes.
const MAX_NAME: usize = 200;

impl Package {
    /// The name, with `=` and the version where one was asked for.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        self.0.split_once('=').map_or(self.as_str(), |(name, _)| name)
    }
}

impl FromStr for Package {
    type Err = InvalidPackage;

    fn from_str(text: &str) -> Result<Self, InvalidPackage> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        // To apt a last `-` means: remove it.
        let named = name.len() >= 2
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.chars().all(|c| is_lower(c) || "+.-".contains(c))
            && !name.ends_with('-');
        let numbered = version.is_none_or(|version| {
            version.starts_with(|c: char| c.is_ascii_digit())
                && version.chars().all(|c| c.is_ascii_alphanumeric() || "+.~:-".contains(c))
        });
        if named && numbered && text.len() <= MAX_NAME {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPackage(text.chars().take(MAX_NAME).collect()))
        }
    }
}

fn is_lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

impl TryFrom<String> for Package {
    type Error = InvalidPackage;

    fn try_from(text: String) -> Result<Self, InvalidPackage> {
        text.parse()
    }
}

impl From<Package> for String {
    fn from(package: Package) -> Self {
        package.0
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_name_and_nothing_else() {
        for good in
            ["jq", "g++", "libstdc++6", "7zip", "php8.4-fpm", "jq=1.7.1-6+deb13u3", "a1=1:2~rc"]
        {
            assert_eq!(good.parse::<Package>().unwrap().as_str(), good);
        }
        let bad = [
            "", "a", "Jq", "-o", "--yes", "jq-", "jq;id", "jq id", "$(id)", "./a.deb", "jq/sid",
            "jq*", "jq=", "jq=-o", "jq=1 2", "jq:i386", "task^", "a\nb", "é9",
        ];
        for bad in bad {
            assert!(bad.parse::<Package>().is_err(), "{bad}");
        }
        assert!("a".repeat(201).parse::<Package>().is_err());
        assert_eq!("jq=1.7".parse::<Package>().unwrap().name(), "jq");
        assert!(serde_json::from_str::<Package>("\"a b\"").is_err());
    }
}
