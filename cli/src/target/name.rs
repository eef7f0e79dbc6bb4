//! An app's name, checked here so that a typing mistake is told at once and a name can stand in a
//! path without escaping. The server has the last word.

use std::{fmt, str::FromStr};

/// An app's name: 3 to 40 lower-case letters, digits and `-`, from a letter to a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AppName(String);

/// Why a text is not an app's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an app's name has 3 to 40 characters: lower-case letters, digits and `-`, starting with a \
     letter and not ending with `-`"
)]
pub(crate) struct NotAName;

impl AppName {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that a folder of this name suggests: `My Shop` becomes `my-shop`.
    pub(crate) fn from_folder(folder: &str) -> Self {
        let mut name = String::new();
        for c in folder.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) {
                name.push(c);
            } else if !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
        }
        name.truncate(LONGEST_SUGGESTION);
        let name = name.trim_end_matches('-');
        Self(match name.len() {
            0 => "app".to_owned(),
            1 | 2 => format!("{name}-app"),
            _ => name.to_owned(),
        })
    }

    /// The same name with `suffix`, for when the plain one is taken.
    pub(crate) fn with_suffix(&self, suffix: &str) -> Self {
        let room = 40_usize.saturating_sub(suffix.len() + 1);
        let kept: String = self.0.chars().take(room).collect();
        Self(format!("{}-{suffix}", kept.trim_end_matches('-')))
    }
}

/// Leaves room for a suffix.
const LONGEST_SUGGESTION: usize = 34;

impl FromStr for AppName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let valid = (3..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(folder: &str, expected: &str) {
        assert_eq!(AppName::from_folder(folder).as_str(), expected);
    }

    #[test]
    fn folders_suggest_names() {
        check("node-express", "node-express");
        check("My Shop (2)", "my-shop-2");
        check("3d_viewer", "d-viewer");
        check("x", "x-app");
        check("日本", "app");
        check("", "app");
    }

    proptest! {
        #[test]
        fn whatever_a_folder_is_called_its_name_is_valid(folder in ".*") {
            let name = AppName::from_folder(&folder);
            prop_assert_eq!(name.as_str().parse::<AppName>(), Ok(name.clone()));
            let other = name.with_suffix("k3x9");
            prop_assert_eq!(other.as_str().parse::<AppName>(), Ok(other.clone()));
        }
    }
}
