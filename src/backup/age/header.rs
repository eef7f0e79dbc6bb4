//! The header: who may open the file, and the MAC that holds it together.

use std::io::{BufRead, Read};

use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::{AgeError, Identity, Recipient, identity::KEY};

/// What the file is encrypted with.
pub(super) type FileKey = Zeroizing<[u8; FILE_KEY]>;

/// A header for one recipient, and the new key that it hands over.
pub(super) fn made(recipient: &Recipient) -> Option<(Vec<u8>, FileKey)> {
    let file_key: FileKey = Zeroizing::new(rand::random());
    let own = Identity::generate();
    let share = own.public();
    let wrapping = wrapping_key(&*own.agreed(recipient)?, &share, recipient);
    let mut body = file_key.to_vec();
    wrapping.seal_in_place_append_tag(no_nonce(), Aad::empty(), &mut body).ok()?;
    let (share, body) = (STANDARD_NO_PAD.encode(share.0), STANDARD_NO_PAD.encode(body));
    let signed = format!("{VERSION}\n-> {X25519} {share}\n{body}\n---");
    let mac = hmac::sign(&mac_key(&file_key), signed.as_bytes());
    let text = format!("{signed} {}\n", STANDARD_NO_PAD.encode(mac));
    Some((text.into_bytes(), file_key))
}

/// Reads a header, and nothing after it; the key that one of `keys` has from it.
pub(super) fn read(from: &mut impl BufRead, keys: &[Identity]) -> Result<FileKey, AgeError> {
    let mut from = from.take(LONGEST);
    let mut signed = Vec::new();
    let mut line = |signed: &mut Vec<u8>| -> Result<String, AgeError> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        signed.extend_from_slice(&line);
        line.pop().filter(|end| *end == b'\n').ok_or(AgeError::Header)?;
        String::from_utf8(line).map_err(|_| AgeError::Header)
    };
    if line(&mut signed)? != VERSION {
        return Err(AgeError::Header);
    }
    let mut found = None;
    loop {
        let begun = signed.len();
        let first = line(&mut signed)?;
        if let Some(mac) = first.strip_prefix("--- ") {
            signed.truncate(begun + "---".len());
            let file_key = found.ok_or(AgeError::Key)?;
            let mac = STANDARD_NO_PAD.decode(mac).map_err(|_| AgeError::Header)?;
            hmac::verify(&mac_key(&file_key), &signed, &mac).map_err(|_| AgeError::Mac)?;
            return Ok(file_key);
        }
        let recipient = first.strip_prefix("-> ").ok_or(AgeError::Header)?;
        let mut body = String::new();
        loop {
            let more = line(&mut signed)?;
            body.push_str(&more);
            if more.len() < COLUMNS {
                break;
            }
        }
        found = found.or_else(|| opened(recipient, &body, keys));
    }
}

/// The key of the file, if this is for one of `keys`.
fn opened(recipient: &str, body: &str, keys: &[Identity]) -> Option<FileKey> {
    let share = recipient.strip_prefix(X25519)?.strip_prefix(' ')?;
    let share = Recipient(STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?);
    let body = STANDARD_NO_PAD.decode(body).ok()?;
    // Another length would let somebody learn about keys by what is refused.
    if body.len() != FILE_KEY + CHACHA20_POLY1305.tag_len() {
        return None;
    }
    keys.iter().find_map(|key| {
        let wrapping = wrapping_key(&*key.agreed(&share)?, &share, &key.public());
        let mut body = Zeroizing::new(body.clone());
        let opened = wrapping.open_in_place(no_nonce(), Aad::empty(), &mut body).ok()?;
        Some(Zeroizing::new(<[u8; FILE_KEY]>::try_from(&*opened).ok()?))
    })
}

fn wrapping_key(agreed: &[u8], share: &Recipient, recipient: &Recipient) -> LessSafeKey {
    let salt = [share.0, recipient.0].concat();
    cipher(&derived(agreed, &salt, b"age-encryption.org/v1/X25519"))
}

fn mac_key(file_key: &FileKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*derived(&**file_key, &[], b"header"))
}

/// What the chunks of the file are sealed with.
pub(super) fn payload_key(file_key: &FileKey, nonce: &[u8; NONCE]) -> LessSafeKey {
    cipher(&derived(&**file_key, nonce, b"payload"))
}

fn derived(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Zeroizing<[u8; KEY]> {
    let mut key = Zeroizing::new([0; KEY]);
    let secret = Salt::new(HKDF_SHA256, salt).extract(secret);
    let purpose = [purpose];
    let material = secret.expand(&purpose, HKDF_SHA256);
    let filled = material.and_then(|material| material.fill(&mut *key));
    filled.expect("one block of SHA-256 has 32 bytes");
    key
}

fn cipher(key: &Zeroizing<[u8; KEY]>) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &**key);
    LessSafeKey::new(key.expect("a key of ChaCha20 has 32 bytes"))
}

/// The key is used once.
fn no_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

const VERSION: &str = "age-encryption.org/v1";
const X25519: &str = "X25519";
const FILE_KEY: usize = 16;
/// Bytes between the header and the first chunk.
pub(super) const NONCE: usize = 16;
/// Of a line; a shorter one is the last of its body.
const COLUMNS: usize = 64;
/// Bytes of a header: some hundred recipients.
const LONGEST: u64 = 32 << 10;
