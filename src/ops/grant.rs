//! Tokens: making one, and finding out whom a presented one stands for.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    model::{Actor, Role, Timestamp, Token, TokenId},
    ops::Refusal,
    store::{StoreError, Transaction, View},
};

/// The server's key under which token secrets are hashed: 32 random bytes.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

impl TokenKey {
    /// From 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What is kept of a secret, in hexadecimal digits.
    pub(super) fn hash(&self, secret: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(secret.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whether this is the secret of which `hash` was kept. Takes the same time either way.
    pub(super) fn proves(&self, secret: &str, hash: &str) -> bool {
        self.hash(secret).as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

/// Random material of a new token, from outside: 4 and 32 bytes.
#[derive(Debug)]
pub struct Randomness {
    /// For the public half.
    pub id: [u8; 4],
    /// For the secret half.
    pub secret: [u8; 32],
}

/// Makes a token and answers the only copy of its text: `paas_<id>_<secret>`.
pub fn grant(
    tx: &mut Transaction<'_>,
    key: &TokenKey,
    randomness: &Randomness,
    name: Actor,
    now: Timestamp,
) -> Result<String, Refusal> {
    let id = TokenId(hex::encode(randomness.id));
    let secret = hex::encode(randomness.secret);
    let text = format!("paas_{id}_{secret}");
    let hash = key.hash(&secret);
    tx.put(&Token { id, name, hash, role: Role::Admin, created_at: now })?;
    Ok(text)
}

/// Whom a token stands for; `None` if it is not one of ours. Takes the same time either way.
pub fn recognise(
    view: &impl View,
    key: &TokenKey,
    text: &str,
) -> Result<Option<(Actor, Role)>, StoreError> {
    let mut parts = text.splitn(3, '_');
    let (Some("paas"), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let token = view.get::<Token>(&id.to_owned())?;
    let proved = key.proves(secret, token.as_ref().map_or("", |token| &token.hash));
    Ok(token.filter(|_| proved).map(|token| (token.name, token.role)))
}
