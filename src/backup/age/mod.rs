//! The file format of age, version 1 (age-encryption.org/v1), as far as backups need it: one kind of
//! recipient, X25519.
//!
//! Not the crate `age` (decision 0039): the format is a page, its parts are those of aws-lc, and tests have
//! the real `age` read what is written here and write what is read here.
//!
//! A header names, for each recipient, a fresh public key and the file's key encrypted under what both
//! halves agree on; a MAC under the file's key ends it. Then come chunks of 64 KiB, each sealed under its
//! number, and the last one as the last.

mod header;
mod identity;
mod stream;

use std::io::{self, Read, Write};

pub(super) use identity::{Identity, Recipient};
pub(super) use stream::{Opener, Sealer};

/// Why something is not decrypted.
#[derive(Debug, thiserror::Error)]
pub(super) enum AgeError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not a file of age's.
    #[error("it does not begin as age's files do")]
    Header,
    /// None of the keys is the one.
    #[error("none of the keys opens it")]
    Key,
    /// Its header was changed.
    #[error("its header was changed since it was written")]
    Mac,
}

/// What is written to the result is encrypted to `recipient` and written to `out`.
pub(super) fn encrypt<W: Write>(recipient: &Recipient, mut out: W) -> io::Result<Sealer<W>> {
    let (header, key) = header::made(recipient).ok_or_else(unlikely)?;
    let nonce: [u8; header::NONCE] = rand::random();
    out.write_all(&header)?;
    out.write_all(&nonce)?;
    Ok(Sealer::new(out, header::payload_key(&key, &nonce)))
}

/// What is read from the result is what `from` has in it, if one of the keys opens it.
pub(super) fn decrypt<R: Read>(from: R, keys: &[Identity]) -> Result<Opener<R>, AgeError> {
    let mut from = io::BufReader::with_capacity(BUFFER, from);
    let key = header::read(&mut from, keys)?;
    let mut nonce = [0; header::NONCE];
    from.read_exact(&mut nonce)?;
    Ok(Opener::new(from, header::payload_key(&key, &nonce)))
}

/// Of the library that is asked for this, only a lack of memory could be the reason.
fn unlikely() -> io::Error {
    io::Error::other("the library of ciphers failed")
}

const BUFFER: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(to: &Recipient, plain: &[u8]) -> Vec<u8> {
        let mut sealer = encrypt(to, Vec::new()).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(bytes: &[u8], keys: &[Identity]) -> Result<Vec<u8>, AgeError> {
        let mut plain = Vec::new();
        decrypt(bytes, keys)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_was_encrypted_comes_back_whatever_its_length() {
        let keys = [Identity::generate(), Identity::generate()];
        for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let plain: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[1]).collect();
            let bytes = sealed(&keys[1].public(), &plain);
            assert_eq!(opened(&bytes, &keys).unwrap(), plain, "{length}");
            assert!(matches!(opened(&bytes, &keys[..1]), Err(AgeError::Key)), "{length}");
        }
    }

    #[test]
    fn what_was_cut_or_changed_is_refused() {
        let key = [Identity::generate()];
        let plain = vec![7; 131_072];
        let bytes = sealed(&key[0].public(), &plain);
        let body = bytes.len() - 2 * (65_536 + 16) - 16;
        let whole_chunk = bytes.len() - 65_536 - 16;
        for cut in [0, 10, body - 1, body + 5, body + 20, whole_chunk, bytes.len() - 1] {
            assert!(opened(&bytes[..cut], &key).is_err(), "cut at {cut}");
        }
        for at in (0..body).chain([body + 3, body + 40, whole_chunk + 9, bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, &key).is_err(), "changed at {at}");
        }
        assert!(opened(&[&bytes[..], b"x"].concat(), &key).is_err(), "something comes after it");
        let swapped = [&bytes[..body + 16], &bytes[whole_chunk..], &bytes[body + 16..whole_chunk]];
        assert!(opened(&swapped.concat(), &key).is_err());
    }
}
