//! Keys of SSH: those that users push with, and the server's own. What is in a key is text here; `ssh`
//! reads it.

use serde::{Deserialize, Serialize};

use super::{
    Actor, Sealed, Timestamp,
    name::{Grammar, Name},
};

/// What a key is recognised by: `SHA256:` and 43 characters of base64, as `ssh-keygen -l` shows it.
pub type KeyFingerprint = Name<FingerprintGrammar>;

/// What people call a key: 1 to 64 letters, digits and `@._+-`, usually whose it is and where.
pub type KeyName = Name<KeyNameGrammar>;

/// A key that somebody pushes with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    /// What it is recognised by.
    pub fingerprint: KeyFingerprint,
    /// What people call it; no two have the same.
    pub name: KeyName,
    /// Its kind and itself, as a `.pub` file has them, without the comment.
    pub text: String,
    /// Who added it. What is done with it, they do.
    pub by: Actor,
    /// When.
    pub added_at: Timestamp,
}

/// The server's own key, of which there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshHost {
    /// What it is made of, sealed.
    pub sealed: Sealed,
    /// Its public half, as a line of `known_hosts` has it behind the names.
    pub public: String,
    /// When it was made.
    pub made_at: Timestamp,
}

impl SshKey {
    /// Its kind, such as `ssh-ed25519`.
    pub fn kind(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }
}

/// See [`KeyFingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FingerprintGrammar {}

impl Grammar for FingerprintGrammar {
    const KIND: &'static str = "fingerprint";

    fn check(text: &str) -> Result<(), &'static str> {
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let digest = text.strip_prefix("SHA256:").unwrap_or_default();
        let valid = digest.len() == 43 && digest.bytes().all(base64);
        valid.then_some(()).ok_or("`SHA256:` and 43 characters, as `ssh-keygen -l` shows it")
    }
}

/// See [`KeyName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyNameGrammar {}

impl Grammar for KeyNameGrammar {
    const KIND: &'static str = "name of a key";

    fn check(text: &str) -> Result<(), &'static str> {
        let valid = (1..=MAX_NAME).contains(&text.len()) && text.chars().all(may_stand);
        valid.then_some(()).ok_or("1 to 64 letters, digits and `@._+-`")
    }
}

impl KeyName {
    /// The name that a key's comment suggests, if there is anything in it.
    pub fn suggested(comment: &str) -> Option<Self> {
        let plain = comment.trim().chars().map(|c| if may_stand(c) { c } else { '-' });
        let plain: String = plain.take(MAX_NAME).collect();
        plain.parse().ok().filter(|_| plain.chars().any(|c| c.is_ascii_alphanumeric()))
    }
}

fn may_stand(c: char) -> bool {
    c.is_ascii_alphanumeric() || "@._+-".contains(c)
}

const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_and_what_is_none() {
        let good = format!("SHA256:{}", "aZ0+/".repeat(8) + "abc");
        assert!(good.parse::<KeyFingerprint>().is_ok());
        for bad in ["", "SHA256:", "MD5:aa:bb", &good[1..], &good[..49], "SHA256:a b"] {
            assert!(bad.parse::<KeyFingerprint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_comment_becomes_a_name() {
        let name = |comment: &str| KeyName::suggested(comment).map(|name| name.to_string());
        assert_eq!(name("me@laptop").as_deref(), Some("me@laptop"));
        assert_eq!(name(" my old laptop\u{1b}[31m").as_deref(), Some("my-old-laptop--31m"));
        assert_eq!(name(&"x".repeat(100)).map(|name| name.len()), Some(64));
        assert_eq!(name(""), None);
        assert_eq!(name("\u{202e}"), None);
    }
}
