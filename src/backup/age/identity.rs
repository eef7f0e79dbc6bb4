//! The keys of age: an identity opens what was encrypted to its recipient.

use std::{fmt, str::FromStr};

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

use super::bech32::{decoded, encoded};

/// The secret half.
pub(in crate::backup) struct Identity(Zeroizing<[u8; KEY]>);

/// The public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backup) struct Recipient(pub(super) [u8; KEY]);

/// A text that should have been an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no key of age's: one begins with AGE-SECRET-KEY-1")]
pub(in crate::backup) struct InvalidIdentity;

impl Identity {
    /// A new one.
    pub(in crate::backup) fn generate() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Its public half.
    pub(in crate::backup) fn public(&self) -> Recipient {
        let public = self.private().and_then(|key| key.compute_public_key().ok());
        let public = public.and_then(|public| public.as_ref().try_into().ok());
        Recipient(public.expect("any 32 bytes are a private key of X25519"))
    }

    /// As `age-keygen` writes it.
    pub(in crate::backup) fn text(&self) -> Zeroizing<String> {
        let lower = Zeroizing::new(encoded(SECRET, &*self.0));
        Zeroizing::new(lower.to_ascii_uppercase())
    }

    /// What it agrees on with who has the other half of `with`; `None` if that is no key at all.
    pub(super) fn agreed(&self, with: &Recipient) -> Option<Zeroizing<[u8; KEY]>> {
        let theirs = UnparsedPublicKey::new(&X25519, with.0);
        let shared = |shared: &[u8]| shared.try_into().map_err(drop);
        agree(&self.private()?, theirs, (), shared).ok().map(Zeroizing::new)
    }

    fn private(&self) -> Option<PrivateKey> {
        PrivateKey::from_private_key(&X25519, &*self.0).ok()
    }
}

impl FromStr for Identity {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let bytes = decoded(SECRET, text).map(Zeroizing::new).ok_or(InvalidIdentity)?;
        bytes
            .as_slice()
            .try_into()
            .map(|key| Self(Zeroizing::new(key)))
            .map_err(|_| InvalidIdentity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity of {}", self.public())
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encoded(PUBLIC, &self.0))
    }
}

/// Bytes of either half.
pub(super) const KEY: usize = 32;
const SECRET: &str = "age-secret-key-";
const PUBLIC: &str = "age";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_and_read_as_age_does_it() {
        let key = Identity::generate();
        let text = key.text();
        assert!(text.starts_with("AGE-SECRET-KEY-1"), "{}", *text);
        assert_eq!(text.parse::<Identity>().unwrap().public(), key.public());
        assert!(key.public().to_string().starts_with("age1"));
        assert!(!format!("{key:?}").contains(&text[16..]));
        assert_eq!(key.public().to_string().parse::<Identity>().unwrap_err(), InvalidIdentity);
    }

    #[test]
    fn both_halves_belong_together() {
        let (alice, bob) = (Identity::generate(), Identity::generate());
        assert_eq!(*alice.agreed(&bob.public()).unwrap(), *bob.agreed(&alice.public()).unwrap());
        assert!(alice.agreed(&Recipient([0; KEY])).is_none(), "nobody has the other half of that");
    }
}
