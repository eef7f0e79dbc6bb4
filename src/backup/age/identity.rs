//! The keys of age: an identity opens what was encrypted to its recipient.

use std::{fmt, str::FromStr};

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use bech32::{Bech32, Hrp, primitives::decode::CheckedHrpstring};
use zeroize::Zeroizing;

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
        let text = bech32::encode_upper::<Bech32>(SECRET, &*self.0);
        Zeroizing::new(text.expect("a key is far shorter than a text may be"))
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
        let read = CheckedHrpstring::new::<Bech32>(text).map_err(|_| InvalidIdentity)?;
        if read.hrp() != SECRET {
            return Err(InvalidIdentity);
        }
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(read.byte_iter().collect());
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
        f.pad(&bech32::encode::<Bech32>(PUBLIC, &self.0).map_err(|_| fmt::Error)?)
    }
}

/// Bytes of either half.
pub(super) const KEY: usize = 32;
const SECRET: Hrp = Hrp::parse_unchecked("age-secret-key-");
const PUBLIC: Hrp = Hrp::parse_unchecked("age");

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
    fn a_slip_of_the_pen_is_noticed() {
        let text = Identity::generate().text();
        assert!(text.to_lowercase().parse::<Identity>().is_ok());
        assert!(text.replacen('A', "a", 1).parse::<Identity>().is_err(), "of both cases");
        for at in "AGE-SECRET-KEY-1".len()..text.len() {
            let slipped = if text.as_bytes()[at] == b'Q' { "P" } else { "Q" };
            let mut slip = text.to_string();
            slip.replace_range(at..=at, slipped);
            assert_eq!(slip.parse::<Identity>().unwrap_err(), InvalidIdentity, "{at}");
        }
        for wrong in ["", "AGE-SECRET-KEY-", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQQQQ"] {
            assert_eq!(wrong.parse::<Identity>().unwrap_err(), InvalidIdentity, "{wrong}");
        }
    }

    #[test]
    fn both_halves_belong_together() {
        let (alice, bob) = (Identity::generate(), Identity::generate());
        assert_eq!(*alice.agreed(&bob.public()).unwrap(), *bob.agreed(&alice.public()).unwrap());
        assert!(alice.agreed(&Recipient([0; KEY])).is_none(), "nobody has the other half of that");
    }
}
