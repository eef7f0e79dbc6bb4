//! The name of an image, as Docker takes it: `nginx`, `nginx:1.29`, `host:5000/team/app@sha256:…`,
//! or an id.
//!
//! Parsed only so far that it is a name and nothing else; what it refers to is for Docker to say.

use std::{fmt, str::FromStr};

/// The name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference(String);

impl ImageReference {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registry that the name says, such as `registry.example.com`; none is said of Docker's own.
    pub fn registry(&self) -> Option<&str> {
        let (first, _) = self.0.split_once('/')?;
        (first.contains(['.', ':']) || first == "localhost").then_some(first)
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an image's name; write it as Docker does: `nginx:1.29`")]
pub struct InvalidReference(String);

impl FromStr for ImageReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
        let bounds = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let empty = text.split('/').any(str::is_empty);
        if text.len() <= MAX_LENGTH && bounds && !empty && text.chars().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidReference(text.chars().take(100).collect::<String>().escape_debug().to_string()))
    }
}

const MAX_LENGTH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_docker_takes() {
        for (text, registry) in [
            ("nginx", None),
            ("nginx:1.29", None),
            ("team/app", None),
            ("localhost/app", Some("localhost")),
            ("registry.example.com/team/app:v1", Some("registry.example.com")),
            ("host:5000/app@sha256:ab", Some("host:5000")),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().registry(), registry, "{text}");
        }
        for wrong in ["", "-x", "a b", "a//b", "/a", "a:", "a\n", "https://x/y?z", "ä"] {
            assert!(wrong.parse::<ImageReference>().is_err(), "{wrong}");
        }
    }
}
