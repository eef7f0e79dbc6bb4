//! The keys that session tickets are sealed with: a client that comes back shows its ticket and
//! spares both sides the signature.
//!
//! rustls has such keys too, but keeps them to itself; these can be given to a successor process,
//! so that an upgrade does not make every client shake hands anew. The invariant: a key seals for
//! one period and opens for one more, and is then forgotten, or old traffic could be read by
//! whoever steals it. Keys never print.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;

/// The key that seals now, and the one before it.
#[derive(Clone)]
pub struct TicketKeys {
    current: Arc<Key>,
    previous: Option<Arc<Key>>,
    period: Duration,
    since: Instant,
}

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// These bytes were not exported by [`TicketKeys::export`].
#[derive(Debug, thiserror::Error)]
#[error("these are no ticket keys")]
pub struct InvalidTicketKeys;

struct Key {
    /// Says which key sealed a ticket; it stands before it in the clear.
    name: [u8; NAME],
    secret: [u8; SECRET],
    cipher: LessSafeKey,
}

const NAME: usize = 16;
const SECRET: usize = 32;
const AGE: usize = 8;

impl TicketKeys {
    /// A first key, to be replaced after `period`.
    pub fn fresh(period: Duration) -> Result<Self, NoRandomness> {
        let current = Arc::new(Key::random()?);
        Ok(Self { current, previous: None, period, since: Instant::now() })
    }

    /// The keys of the next period.
    pub(crate) fn rotated(&self) -> Result<Self, NoRandomness> {
        let previous = Some(Arc::clone(&self.current));
        Ok(Self { previous, ..Self::fresh(self.period)? })
    }

    /// When to rotate.
    pub(crate) fn until(&self) -> Instant {
        self.since + self.period
    }

    /// The same keys under another period, counted from when the current one began.
    pub(crate) fn every(self, period: Duration) -> Self {
        Self { period, ..self }
    }

    /// The keys and the age of the current one, for a successor and for nobody else.
    pub fn export(&self) -> Vec<u8> {
        let age = self.since.elapsed().as_secs();
        let mut bytes = age.to_be_bytes().to_vec();
        for key in std::iter::once(&self.current).chain(&self.previous) {
            bytes.extend_from_slice(&key.name);
            bytes.extend_from_slice(&key.secret);
        }
        bytes
    }

    /// Reads what [`TicketKeys::export`] wrote. A key goes on ageing: handing it over does not
    /// make it young.
    pub fn import(bytes: &[u8], period: Duration) -> Result<Self, InvalidTicketKeys> {
        let (age, rest) = bytes.split_first_chunk::<AGE>().ok_or(InvalidTicketKeys)?;
        let age = Duration::from_secs(u64::from_be_bytes(*age)).min(period);
        let (current, rest) = Key::read(rest)?;
        let previous = match rest {
            [] => None,
            rest => match Key::read(rest)? {
                (previous, []) => Some(Arc::new(previous)),
                _ => return Err(InvalidTicketKeys),
            },
        };
        let now = Instant::now();
        // Where the clock began later than that, the key is as old as the clock.
        let since = now.checked_sub(age).unwrap_or(now);
        Ok(Self { current: Arc::new(current), previous, period, since })
    }
}

impl Key {
    fn random() -> Result<Self, NoRandomness> {
        let (mut name, mut secret) = ([0; NAME], [0; SECRET]);
        rand::fill(&mut name).map_err(|_| NoRandomness)?;
        rand::fill(&mut secret).map_err(|_| NoRandomness)?;
        Ok(Self::new(name, secret))
    }

    fn new(name: [u8; NAME], secret: [u8; SECRET]) -> Self {
        let cipher = UnboundKey::new(&AES_256_GCM, &secret).expect("the secret has 32 bytes");
        Self { name, secret, cipher: LessSafeKey::new(cipher) }
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), InvalidTicketKeys> {
        let (name, rest) = bytes.split_first_chunk().ok_or(InvalidTicketKeys)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(InvalidTicketKeys)?;
        Ok((Self::new(*name, *secret), rest))
    }

    /// Name, nonce, sealed text. Nonces are random: at a million tickets a second for a whole
    /// period the chance of a repeated one stays below one in a million.
    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.cipher.seal_in_place_append_tag(unique, Aad::from(self.name), &mut sealed).ok()?;
        Some([self.name.as_slice(), &nonce, &sealed].concat())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut text = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.cipher.open_in_place(nonce, Aad::from(self.name), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    /// Sealed at the end of a period, a ticket still opens for one more.
    fn lifetime(&self) -> u32 {
        u32::try_from(self.period.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.current.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        keys.find(|key| key.name == *name)?.open(*nonce, sealed)
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").field("period", &self.period).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_hours(1);

    #[test]
    fn a_ticket_outlives_one_rotation_and_not_two() {
        let first = TicketKeys::fresh(PERIOD).unwrap();
        let ticket = first.encrypt(b"a session").unwrap();
        let second = first.rotated().unwrap();
        assert_eq!(second.decrypt(&ticket).as_deref(), Some(&b"a session"[..]));
        assert_eq!(second.rotated().unwrap().decrypt(&ticket), None);
    }

    #[test]
    fn a_successor_opens_what_its_predecessor_sealed() {
        let keys = TicketKeys::fresh(PERIOD).unwrap();
        let old = keys.encrypt(b"old").unwrap();
        let keys = keys.rotated().unwrap();
        let heir = TicketKeys::import(&keys.export(), PERIOD).unwrap();
        assert_eq!(heir.decrypt(&old).as_deref(), Some(&b"old"[..]));
        assert_eq!(heir.decrypt(&keys.encrypt(b"new").unwrap()).as_deref(), Some(&b"new"[..]));
        assert!(heir.until() <= Instant::now() + PERIOD);
    }

    #[test]
    fn a_forged_ticket_and_forged_keys_are_refused() {
        let keys = TicketKeys::fresh(PERIOD).unwrap();
        let ticket = keys.encrypt(b"a session").unwrap();
        for index in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[index] ^= 1;
            assert_eq!(keys.decrypt(&forged), None, "byte {index}");
            assert_eq!(keys.decrypt(&ticket[..index]), None, "cut at {index}");
        }
        let bytes = keys.rotated().unwrap().export();
        for length in 0..bytes.len() {
            let whole = length == AGE + NAME + SECRET;
            assert_eq!(TicketKeys::import(&bytes[..length], PERIOD).is_ok(), whole, "{length}");
        }
    }

    #[test]
    fn keys_never_print() {
        let keys = TicketKeys::fresh(PERIOD).unwrap();
        assert_eq!(format!("{keys:?}"), "TicketKeys { period: 3600s, .. }");
    }
}
