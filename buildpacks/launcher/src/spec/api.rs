//! The version of the Buildpack API that a buildpack speaks.
//!
//! A pair of numbers, never a float: 0.10 comes after 0.9.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// A Buildpack API version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api {
    major: u32,
    minor: u32,
}

impl Api {
    /// 0.8: `CNB_*` variables and `working-dir` of processes.
    pub const V0_8: Self = Self { major: 0, minor: 8 };
    /// 0.9: `command` is an array and processes are direct.
    pub const V0_9: Self = Self { major: 0, minor: 9 };
    /// 0.10: `CNB_TARGET_*` variables.
    pub const V0_10: Self = Self { major: 0, minor: 10 };
    /// 0.12: `CNB_EXEC_ENV`.
    pub const V0_12: Self = Self { major: 0, minor: 12 };

    const OLDEST: Self = Self { major: 0, minor: 7 };
    const NEWEST: Self = Self::V0_12;

    /// Whether this lifecycle honours the version.
    pub fn is_supported(self) -> bool {
        (Self::OLDEST..=Self::NEWEST).contains(&self)
    }

    /// Whether this lifecycle honours the version of the Platform API, which is another sequence.
    pub fn is_supported_platform(self) -> bool {
        self.major == 0 && (7..=15).contains(&self.minor)
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The text is not a version pair.
#[derive(Debug, thiserror::Error)]
#[error("api `{0}` is not of the form \"0.10\"")]
pub struct NotAnApi(String);

impl FromStr for Api {
    type Err = NotAnApi;

    fn from_str(text: &str) -> Result<Self, NotAnApi> {
        let number = |part: &str| part.parse().map_err(|_| NotAnApi(text.to_owned()));
        match text.split_once('.') {
            Some((major, minor)) => Ok(Self { major: number(major)?, minor: number(minor)? }),
            None => Ok(Self { major: number(text)?, minor: 0 }),
        }
    }
}

impl<'de> Deserialize<'de> for Api {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_a_pair_and_not_a_float() {
        let api = |text: &str| text.parse::<Api>().unwrap();
        assert!(api("0.10") > api("0.9"));
        assert!(api("0.7").is_supported() && api("0.12").is_supported());
        assert!(!api("0.6").is_supported() && !api("0.13").is_supported());
        assert!("latest".parse::<Api>().is_err());
    }
}
