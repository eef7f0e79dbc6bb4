//! The public half of a user's key, as `ssh-keygen` writes it into a file: checked once, before it is kept.

use russh::keys::{Algorithm, HashAlg, PublicKey as Key, ssh_key::public::KeyData};

use crate::model::KeyFingerprint;

/// A key that may be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// What it is recognised by.
    pub fingerprint: KeyFingerprint,
    /// Its kind and itself, without the comment.
    pub text: String,
    /// The comment, which usually says whose it is; it may be empty and may hold anything.
    pub comment: String,
}

/// Why a text is not a key that may be registered. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The half that nobody else should ever see.
    #[error("it is a private key, which belongs to nobody but its owner")]
    Private,
    /// Several.
    #[error("it is more than one line; one key is added at a time")]
    Several,
    /// Anything.
    #[error("it is not the public half of an SSH key")]
    Unreadable,
    /// An RSA key that can be broken.
    #[error("it is an RSA key of {bits} bits, and fewer than {FEWEST} are not safe")]
    Short {
        /// Its length.
        bits: u32,
    },
    /// DSA, certificates, and what is not known.
    #[error("keys of its kind are not taken")]
    Kind,
}

impl InvalidKey {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Private => "add the file beside it that ends with `.pub`",
            Self::Several | Self::Unreadable => {
                "it is in the file that ends with `.pub`; `ssh-keygen -t ed25519` makes one"
            }
            Self::Short { .. } | Self::Kind => "`ssh-keygen -t ed25519` makes one that is",
        }
    }
}

impl PublicKey {
    /// Reads the one line of a `.pub` file.
    pub fn read(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return Err(InvalidKey::Private);
        }
        if text.len() > LONGEST {
            return Err(InvalidKey::Unreadable);
        }
        if text.lines().count() > 1 {
            return Err(InvalidKey::Several);
        }
        let mut key = Key::from_openssh(text).map_err(|_| InvalidKey::Unreadable)?;
        allowed(key.key_data())?;
        let comment = String::from_utf8_lossy(key.comment().as_bytes()).into_owned();
        key.set_comment("");
        let plain = key.to_openssh().map_err(|_| InvalidKey::Unreadable)?;
        let fingerprint = fingerprint(&key).ok_or(InvalidKey::Unreadable)?;
        Ok(Self { fingerprint, text: plain.trim().to_owned(), comment })
    }

    /// Its kind, such as `ssh-ed25519`.
    pub fn kind(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }
}

/// What a key is recognised by.
pub(super) fn fingerprint(key: &Key) -> Option<KeyFingerprint> {
    key.fingerprint(HashAlg::Sha256).to_string().parse().ok()
}

/// Whether a signature of this sort counts. The old one of RSA keys rests on SHA-1, which is broken.
pub(super) fn is_safe(algorithm: &Algorithm) -> bool {
    !matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa)
}

fn allowed(key: &KeyData) -> Result<(), InvalidKey> {
    match key {
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        KeyData::Rsa(rsa) if rsa.key_size() < FEWEST => {
            Err(InvalidKey::Short { bits: rsa.key_size() })
        }
        KeyData::Rsa(_) => Ok(()),
        _ => Err(InvalidKey::Kind),
    }
}

/// Bits of an RSA key.
const FEWEST: u32 = 2048;
/// RSA keys of 16384 bits have some 3000 characters.
const LONGEST: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_line_of_a_file_is_a_key() {
        let read = PublicKey::read(&format!("{ED25519} me@laptop\n")).unwrap();
        assert_eq!((read.text.as_str(), read.comment.as_str()), (ED25519, "me@laptop"));
        assert_eq!(read.kind(), "ssh-ed25519");
        assert!(read.fingerprint.as_str().starts_with("SHA256:"), "{read:?}");
        assert_eq!(PublicKey::read(ED25519).unwrap().fingerprint, read.fingerprint);
    }

    #[test]
    fn what_is_none() {
        let two = format!("{ED25519}\n{ED25519}");
        for (text, expected) in [
            ("", InvalidKey::Unreadable),
            ("ssh-ed25519 AAAA", InvalidKey::Unreadable),
            ("hello", InvalidKey::Unreadable),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", InvalidKey::Private),
            (&two, InvalidKey::Several),
            (&"x".repeat(9000), InvalidKey::Unreadable),
        ] {
            assert_eq!(PublicKey::read(text), Err(expected), "{text:.40}");
        }
    }
}
