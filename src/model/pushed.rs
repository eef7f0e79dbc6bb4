//! An image that somebody pushed, as far as records and folders speak of it. What is in it is for the
//! registry and the build.

use serde::{Deserialize, Serialize};

use super::name::{Grammar, Name, sha256};

/// `sha256:` and 64 hexadecimal digits over the bytes of a blob: a layer as it was sent, a configuration,
/// a manifest.
pub type BlobDigest = Name<BlobGrammar>;

/// What stands behind the colon of an image's name: 1 to 128 characters.
pub type Tag = Name<TagGrammar>;

/// What a build was made of, where `docker push` brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The name that it was given.
    pub tag: Tag,
    /// The manifest that the name stood for, of one image or of several platforms'.
    pub digest: BlobDigest,
}

impl BlobDigest {
    /// The same as a name of a file.
    pub fn file_name(&self) -> String {
        self.as_str().replacen(':', "-", 1)
    }

    /// The digest that a file was named by.
    pub fn of_file(name: &str) -> Option<Self> {
        name.replacen('-', ":", 1).parse().ok()
    }
}

/// See [`BlobDigest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobGrammar {}

impl Grammar for BlobGrammar {
    const KIND: &'static str = "digest";

    fn check(text: &str) -> Result<(), &'static str> {
        sha256(text)
    }
}

/// See [`Tag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagGrammar {}

impl Grammar for TagGrammar {
    const KIND: &'static str = "tag";

    fn check(text: &str) -> Result<(), &'static str> {
        let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let any = |byte: u8| first(byte) || byte == b'.' || byte == b'-';
        let valid = (1..=128).contains(&text.len())
            && text.bytes().all(any)
            && text.bytes().next().is_some_and(first);
        valid.then_some(()).ok_or("1 to 128 letters, digits, `_`, `.` and `-`, as in `v1.2`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_the_specification() {
        for good in ["latest", "v1.2-rc.1", "_x", "1", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "a:b", "../x", "ä", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_names_of_files_and_back() {
        let digest: BlobDigest = format!("sha256:{:064x}", 7).parse().unwrap();
        assert_eq!(BlobDigest::of_file(&digest.file_name()), Some(digest));
        for bad in ["sha256-1", "..", "sha512-aa", "incoming-0000"] {
            assert_eq!(BlobDigest::of_file(bad), None, "{bad}");
        }
    }
}
