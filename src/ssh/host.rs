//! The server's own key, by which clients know that it is the one they meant: Ed25519, made once.

use std::fmt;

use russh::keys::{
    HashAlg, PrivateKey,
    ssh_key::private::{Ed25519Keypair, KeypairData},
};
use zeroize::Zeroizing;

use crate::model::KeyFingerprint;

/// The key, with its private half.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

/// What was kept is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kept key of the SSH server is damaged")]
pub struct InvalidHostKey;

impl HostKey {
    /// What is kept of a key that is made: 32 random bytes.
    pub fn make() -> Zeroizing<[u8; SEED]> {
        Zeroizing::new(rand::random())
    }

    /// The key of what was kept.
    pub fn of(seed: &[u8]) -> Result<Self, InvalidHostKey> {
        let seed: &[u8; SEED] = seed.try_into().map_err(|_| InvalidHostKey)?;
        let pair = KeypairData::from(Ed25519Keypair::from_seed(seed));
        PrivateKey::new(pair, "").map(Self).map_err(|_| InvalidHostKey)
    }

    /// Its public half, as a line of `known_hosts` has it behind the names.
    pub fn public(&self) -> String {
        self.0.public_key().to_openssh().unwrap_or_default().trim().to_owned()
    }

    /// What `ssh` asks people to compare.
    pub fn fingerprint(&self) -> Result<KeyFingerprint, InvalidHostKey> {
        self.0.fingerprint(HashAlg::Sha256).to_string().parse().map_err(|_| InvalidHostKey)
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.0
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKey(…)")
    }
}

const SEED: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_made_of_what_was_kept() {
        let kept = HostKey::make();
        let (one, two) = (HostKey::of(&*kept).unwrap(), HostKey::of(&*kept).unwrap());
        assert_eq!(one.public(), two.public());
        assert!(one.public().starts_with("ssh-ed25519 AAAA"), "{}", one.public());
        assert!(one.fingerprint().unwrap().as_str().starts_with("SHA256:"));
        assert_ne!(HostKey::of(&*HostKey::make()).unwrap().public(), one.public());
        assert_eq!(HostKey::of(&[0; 31]).unwrap_err(), InvalidHostKey);
    }
}
