//! Secrets at rest: private keys and account keys are records only in sealed form.
//!
//! XChaCha20-Poly1305 with a random nonce, bound to its context: what was sealed as
//! `certificate|example.com` opens as nothing else, so that records cannot be swapped. The key is
//! one file of the installation, or a credential that systemd passes; without it the sealed
//! parts of a stolen disk or export are noise. Not a vault: the daemon itself can open everything.
//!
//! The format never changes under its mark `v1.`: base64 of the nonce and what was sealed.

use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::model::{DomainName, Sealed};

/// The installation's key.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

/// Why something sealed does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// It is not what [`SealingKey::seal`] makes.
    #[error("it is not a sealed secret")]
    Format,
    /// It was sealed with another key or for another purpose, or was changed since.
    #[error("it was sealed with another key, or damaged")]
    Key,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SealingKeyError {
    /// The file cannot be read or made.
    #[error("the sealing key at {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not a key.
    #[error("{} is not a sealing key: 64 hexadecimal digits, or 32 bytes", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
    },
}

impl SealingKey {
    /// The key in the credential, if that is given and there, else in `file`, which is made if it
    /// is missing (mode 0600, on the disk before this returns).
    pub fn open(file: &Path, credential: Option<&Path>) -> Result<Self, SealingKeyError> {
        if let Some(path) = credential.filter(|path| path.exists()) {
            return Self::read(path);
        }
        if !file.exists() {
            let key = Self::new(rand::random());
            write(file, hex::encode(*key.0).as_bytes())
                .map_err(|source| SealingKeyError::File { path: file.to_owned(), source })?;
        }
        Self::read(file)
    }

    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn read(path: &Path) -> Result<Self, SealingKeyError> {
        let bytes = fs::read(path).map(Zeroizing::new);
        let bytes =
            bytes.map_err(|source| SealingKeyError::File { path: path.to_owned(), source })?;
        let raw = <[u8; 32]>::try_from(bytes.as_slice()).ok();
        let digits = || {
            let mut key = [0; 32];
            hex::decode_to_slice(bytes.trim_ascii(), &mut key).ok().map(|()| key)
        };
        let key = raw.or_else(digits);
        key.map(Self::new).ok_or_else(|| SealingKeyError::Format { path: path.to_owned() })
    }

    /// Seals a secret for one purpose.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Sealed {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret, aad: context.as_bytes() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("only a secret of 256 GiB is too long");
        let text = STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Sealed(format!("{MARK}{text}"))
    }

    /// Opens what was sealed for the same purpose.
    pub fn unseal(
        &self,
        context: &str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SealingError> {
        let text = sealed.0.strip_prefix(MARK).ok_or(SealingError::Format)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| SealingError::Format)?;
        let (nonce, msg) = bytes.split_first_chunk::<NONCE>().ok_or(SealingError::Format)?;
        let payload = Payload { msg, aad: context.as_bytes() };
        let secret = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        secret.map(Zeroizing::new).map_err(|_| SealingError::Key)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.0).into())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// The purpose of a certificate's private key.
pub fn certificate_context(name: &DomainName) -> String {
    format!("certificate|{name}")
}

/// The purpose of an account's credentials at an authority.
pub fn account_context(directory: &str) -> String {
    format!("acme-account|{directory}")
}

/// A crash leaves the whole file or none.
fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

const MARK: &str = "v1.";
const NONCE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_its_own_purpose_only() {
        let key = SealingKey::new([7; 32]);
        let sealed = key.seal("certificate|a.example", b"secret");
        assert_eq!(*key.unseal("certificate|a.example", &sealed).unwrap(), b"secret");
        assert_eq!(key.unseal("certificate|b.example", &sealed), Err(SealingError::Key));
        let other = SealingKey::new([8; 32]);
        assert_eq!(other.unseal("certificate|a.example", &sealed), Err(SealingError::Key));
        assert_ne!(key.seal("certificate|a.example", b"secret"), sealed, "nonces are random");
    }

    #[test]
    fn what_was_damaged_does_not_open() {
        let key = SealingKey::new([7; 32]);
        let sealed = key.seal("x", b"secret");
        for at in MARK.len()..sealed.0.len() {
            let mut text = sealed.0.clone().into_bytes();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            let damaged = Sealed(String::from_utf8(text).unwrap());
            assert!(key.unseal("x", &damaged).is_err(), "{at}");
        }
        for text in ["", "v1.", "v1.AAAA", "v2.AAAA", "secret"] {
            assert_eq!(key.unseal("x", &Sealed(text.to_owned())), Err(SealingError::Format));
        }
    }

    #[test]
    fn the_format_is_for_ever() {
        let key = SealingKey::new([7; 32]);
        let sealed = Sealed(GOLDEN.to_owned());
        assert_eq!(*key.unseal("certificate|a.example", &sealed).unwrap(), b"secret");
    }

    #[test]
    fn the_key_is_made_once_and_a_credential_wins() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, credential) = (folder.path().join("sealing.key"), folder.path().join("given"));
        let first = SealingKey::open(&file, Some(&credential)).unwrap();
        let again = SealingKey::open(&file, None).unwrap();
        assert_eq!(first.0, again.0);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&credential, [9; 32]).unwrap();
        assert_eq!(*SealingKey::open(&file, Some(&credential)).unwrap().0, [9; 32]);
        fs::write(&credential, "short").unwrap();
        assert!(matches!(
            SealingKey::open(&file, Some(&credential)),
            Err(SealingKeyError::Format { .. })
        ));
    }

    /// By another implementation, under the nonce 0, 1, … 23.
    const GOLDEN: &str = "v1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYX23LI959oaGxq1w2+szLG6laHDELL7g";
}
