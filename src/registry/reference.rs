//! What a manifest is asked for by: a tag, or its own digest. Pure.

use std::str::FromStr;

use crate::model::{BlobDigest, InvalidName, Tag};

/// A name of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `latest`.
    Tag(Tag),
    /// `sha256:…`.
    Digest(BlobDigest),
}

impl FromStr for Reference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        // No tag has a colon, and every digest has one.
        if text.contains(':') {
            text.parse().map(Self::Digest)
        } else {
            text.parse().map(Self::Tag)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_makes_a_digest() {
        let digest = format!("sha256:{:064x}", 1);
        assert_eq!(digest.parse(), Ok(Reference::Digest(digest.parse().unwrap())));
        assert_eq!("v1".parse(), Ok(Reference::Tag("v1".parse().unwrap())));
        for bad in ["", "sha256:1", "md5:00", "../x", "a:b"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
