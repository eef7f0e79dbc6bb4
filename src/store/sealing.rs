//! Secrets at rest: private keys and account keys are records only in sealed form.
//!
//! XChaCha20-Poly1305 with a random nonce, bound to its context: what was sealed as
//! `certificate|example.com` opens as nothing else, so that records cannot be swapped. The key is
//! one file of the installation, or a credential that systemd passes; without it the sealed
//! parts of a stolen disk or export are noise. Not a vault: the daemon itself can open everything.
//!
//! The file may hold several keys, a line each: the first one seals, all of them open. That is what a
//! rotation needs at any moment: a new key is put before the old one in one step, every record is sealed
//! anew, and the next start of the daemon drops the old one.
//!
//! The format never changes under its mark `v1.`: base64 of the nonce and what was sealed.

use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::{AppName, DomainName, EnvKey, Sealed, SecretVersion};

/// The installation's key, and those before it while there may be records of theirs. Clones share it.
#[derive(Clone)]
pub struct SealingKey(Arc<Shared>);

struct Shared {
    keys: RwLock<Vec<Key>>,
    place: Place,
}

type Key = Zeroizing<[u8; 32]>;

/// Where keys are kept.
enum Place {
    /// In a file of ours.
    File(PathBuf),
    /// In a credential, which only whoever made it can change.
    Credential,
    /// In memory, for tests.
    Nowhere,
}

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
    /// It is a credential, which is not ours to change.
    #[error("the sealing key is a credential of systemd's")]
    Credential,
    /// It is not a key.
    #[error("{} is not a sealing key: 64 hexadecimal digits a line, or 32 bytes", path.display())]
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
            return Ok(Self::of(read(path)?, Place::Credential));
        }
        if !file.exists() {
            write(file, &[Zeroizing::new(rand::random())])?;
        }
        Ok(Self::of(read(file)?, Place::File(file.to_owned())))
    }

    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::of(vec![Zeroizing::new(bytes)], Place::Nowhere)
    }

    fn of(keys: Vec<Key>, place: Place) -> Self {
        Self(Arc::new(Shared { keys: RwLock::new(keys), place }))
    }

    /// Puts a new key before the present one: on the disk, and then here.
    pub fn replace(&self) -> Result<(), SealingKeyError> {
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        let next = std::iter::once(Zeroizing::new(rand::random())).chain(keys.iter().cloned());
        let next: Vec<Key> = next.collect();
        self.0.place.keep(&next)?;
        *keys = next;
        Ok(())
    }

    /// Drops the keys before the present one, of which nothing may be on record any more. Those of a
    /// credential stay until whoever made it takes them out.
    pub fn forget_old(&self) -> Result<(), SealingKeyError> {
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        let first: Vec<Key> = keys.first().cloned().into_iter().collect();
        self.0.place.keep(&first)?;
        *keys = first;
        Ok(())
    }

    /// Whether there are keys before the present one.
    pub fn has_old(&self) -> bool {
        self.keys().len() > 1
    }

    /// The same secret under the present key; `None` if it is that already, or opens under none.
    pub fn renewed(&self, context: &str, sealed: &Sealed) -> Option<Sealed> {
        let keys = self.keys();
        if keys.first().is_some_and(|key| open(key, context, sealed).is_ok()) {
            return None;
        }
        let secret = self.unseal(context, sealed).ok()?;
        Some(self.seal(context, &secret))
    }

    fn keys(&self) -> Vec<Key> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn first(&self) -> Key {
        self.keys().into_iter().next().expect("a file without a key is not read as one")
    }

    /// Seals a secret for one purpose.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Sealed {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret, aad: context.as_bytes() };
        let sealed = cipher(&self.first())
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
        let mut refused = SealingError::Key;
        for key in self.keys() {
            match open(&key, context, sealed) {
                Ok(secret) => return Ok(secret),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// What tells whether two secrets of one purpose are the same: a keyed hash, so that a weak secret
    /// cannot be guessed from it, cut to 16 hexadecimal digits.
    pub fn digest(&self, purpose: &str, secret: &[u8]) -> String {
        let mac = |key: &[u8]| -> Hmac<Sha256> {
            Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
        };
        // A key of its own: what seals is used for nothing else.
        let own =
            mac(&*self.first()).chain_update("paas: digests of secrets").finalize().into_bytes();
        let own = Zeroizing::new(<[u8; 32]>::from(own));
        let told = mac(&*own).chain_update(purpose).chain_update([0]).chain_update(secret);
        let mut text = hex::encode(told.finalize().into_bytes());
        text.truncate(DIGEST);
        text
    }
}

impl Place {
    fn keep(&self, keys: &[Key]) -> Result<(), SealingKeyError> {
        match self {
            Self::File(path) => write(path, keys),
            Self::Credential => Err(SealingKeyError::Credential),
            Self::Nowhere => Ok(()),
        }
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(**key).into())
}

fn open(key: &Key, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealingError> {
    let text = sealed.0.strip_prefix(MARK).ok_or(SealingError::Format)?;
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| SealingError::Format)?;
    let (nonce, msg) = bytes.split_first_chunk::<NONCE>().ok_or(SealingError::Format)?;
    let payload = Payload { msg, aad: context.as_bytes() };
    let secret = cipher(key).decrypt(&XNonce::from(*nonce), payload);
    secret.map(Zeroizing::new).map_err(|_| SealingError::Key)
}

fn read(path: &Path) -> Result<Vec<Key>, SealingKeyError> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|source| SealingKeyError::File { path: path.to_owned(), source })?;
    if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(vec![Zeroizing::new(raw)]);
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let keys = lines.filter(|line| !line.is_empty()).map(|line| {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(line, &mut *key).ok().map(|()| key)
    });
    let keys: Option<Vec<Key>> = keys.collect();
    keys.filter(|keys| !keys.is_empty())
        .ok_or_else(|| SealingKeyError::Format { path: path.to_owned() })
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

/// The purpose of the SSH server's key.
pub const SSH_HOST_CONTEXT: &str = "ssh-host";

/// The purpose of one version of an app's secret.
pub fn secret_context(app: &AppName, name: &EnvKey, version: SecretVersion) -> String {
    format!("secret|{app}|{}|{}", name.as_str(), version.0)
}

/// A crash leaves the old file or the new one.
fn write(path: &Path, keys: &[Key]) -> Result<(), SealingKeyError> {
    let lines: Vec<_> = keys.iter().map(|key| Zeroizing::new(hex::encode(**key))).collect();
    let text =
        Zeroizing::new(lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"));
    let write = || {
        let temporary = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|source| SealingKeyError::File { path: path.to_owned(), source })
}

const MARK: &str = "v1.";
const NONCE: usize = 24;
const DIGEST: usize = 16;

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
        assert_eq!(first.keys(), again.keys());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&credential, [9; 32]).unwrap();
        let given = SealingKey::open(&file, Some(&credential)).unwrap();
        assert_eq!(*given.first(), [9; 32]);
        assert!(matches!(given.replace(), Err(SealingKeyError::Credential)));
        fs::write(&credential, "short").unwrap();
        assert!(matches!(
            SealingKey::open(&file, Some(&credential)),
            Err(SealingKeyError::Format { .. })
        ));
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_opens_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sealing.key");
        let key = SealingKey::open(&file, None).unwrap();
        let old = key.seal("x", b"secret");
        assert_eq!(key.renewed("x", &old), None, "it is under the present key");
        key.replace().unwrap();
        let again = SealingKey::open(&file, None).unwrap();
        assert!(again.has_old() && key.has_old());
        assert_eq!(*again.unseal("x", &old).unwrap(), b"secret");
        let new = again.renewed("x", &old).unwrap();
        assert_eq!(again.renewed("x", &new), None);
        assert_eq!(again.renewed("y", &old), None, "it opens for its own purpose only");
        again.forget_old().unwrap();
        let last = SealingKey::open(&file, None).unwrap();
        assert!(!last.has_old());
        assert_eq!(*last.unseal("x", &new).unwrap(), b"secret");
        assert_eq!(last.unseal("x", &old), Err(SealingError::Key));
    }

    #[test]
    fn a_digest_tells_apart_and_nothing_else() {
        let key = SealingKey::new([7; 32]);
        let digest = key.digest("app|A", b"secret");
        assert_eq!((digest.len(), &digest), (16, &key.digest("app|A", b"secret")));
        assert_ne!(digest, key.digest("app|B", b"secret"));
        assert_ne!(digest, SealingKey::new([8; 32]).digest("app|A", b"secret"));
    }

    /// By another implementation, under the nonce 0, 1, … 23.
    const GOLDEN: &str = "v1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYX23LI959oaGxq1w2+szLG6laHDELL7g";
}
