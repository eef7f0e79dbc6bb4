//! The certificates of the edge, as plain data: which to present for which host, and what to show
//! an authority that asks whether a host is ours.
//!
//! It signs nothing and asks nobody. A set is published whole and replaced whole; a handshake that
//! has begun keeps the certificate it began with. Keys never print.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::packed;
use crate::pattern::Pattern;

/// Everything the edge presents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificates {
    /// Grows with every publication.
    pub generation: u64,
    /// By the hosts they are for; the exact host wins over a wildcard.
    pub hosts: BTreeMap<Pattern, Certificate>,
    /// Paths that the edge answers itself, before anything else is looked at and over plain HTTP
    /// too: host and path to the text (`text/plain`). Proofs for certificate authorities (RFC 8555
    /// section 8.3).
    #[serde(with = "packed::answers")]
    pub answers: BTreeMap<(Host, Box<str>), Arc<str>>,
    /// Presented only to a client that offers nothing but the protocol `acme-tls/1` (RFC 8737): the
    /// answers to challenges, by host.
    pub challenges: BTreeMap<Host, Certificate>,
    /// Presented where none fits, so that a browser shows its warning with a name that says why.
    /// `None` refuses the handshake with `unrecognized_name` (RFC 6066 section 3).
    pub fallback: Option<Certificate>,
}

/// A certificate chain with its key, ready to sign.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "packed::Packed", into = "packed::Packed")]
pub struct Certificate {
    pub(crate) whole: Arc<CertifiedKey>,
    /// The key once more, for the edge of another machine.
    key: Arc<PrivateKeyDer<'static>>,
}

/// Why a chain and a key are not a certificate.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCertificate {
    /// The text is not PEM, or has no certificate in it.
    #[error("the chain is not a list of PEM certificates")]
    Chain,
    /// The key is not PKCS#8, SEC 1 or PKCS#1 in PEM.
    #[error("the key is not a private key in PEM")]
    Key,
    /// The library cannot sign with the key, or it belongs to another certificate.
    #[error("the key cannot be used with the certificate")]
    Mismatch(#[source] Error),
}

impl Certificate {
    /// Reads a chain, the host's own certificate first, and its private key, both in PEM.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, InvalidCertificate> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| InvalidCertificate::Chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
        Self::from_der(chain, key.map_err(|_| InvalidCertificate::Key)?)
    }

    fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, InvalidCertificate> {
        if chain.is_empty() {
            return Err(InvalidCertificate::Chain);
        }
        let secret = Arc::new(key.clone_key());
        let provider = aws_lc_rs::default_provider().key_provider;
        let key = provider.load_private_key(key).map_err(InvalidCertificate::Mismatch)?;
        let whole = CertifiedKey::new(chain, key);
        match whole.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            // Proofs (RFC 8737) have a critical extension that nobody but their reader knows.
            Err(Error::InvalidCertificate(_)) if has_key(&whole) => {}
            Err(other) => return Err(InvalidCertificate::Mismatch(other)),
        }
        Ok(Self { whole: Arc::new(whole), key: secret })
    }

    /// The same certificate with its issuer's word that it is not revoked (OCSP, DER), which is
    /// sent along to clients that ask for it. Keeping it fresh is the owner's affair.
    #[must_use]
    pub fn with_ocsp(self, response: Vec<u8>) -> Self {
        let whole = CertifiedKey { ocsp: Some(response), ..CertifiedKey::clone(&self.whole) };
        Self { whole: Arc::new(whole), ..self }
    }
}

/// Whether the certificate has the public key, found without understanding anything else of it.
fn has_key(whole: &CertifiedKey) -> bool {
    whole
        .key
        .public_key()
        .zip(whole.cert.first())
        .is_some_and(|(key, certificate)| memchr::memmem::find(certificate, &key).is_some())
}

impl From<Certificate> for packed::Packed {
    fn from(certificate: Certificate) -> Self {
        let whole = &certificate.whole;
        Self::new(&whole.cert, &certificate.key, whole.ocsp.as_deref())
    }
}

impl TryFrom<packed::Packed> for Certificate {
    type Error = InvalidCertificate;

    fn try_from(packed: packed::Packed) -> Result<Self, InvalidCertificate> {
        let (chain, key, ocsp) = packed.unpack()?;
        let plain = Self::from_der(chain, key)?;
        Ok(match ocsp {
            Some(response) => plain.with_ocsp(response),
            None => plain,
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} in the chain)", self.whole.cert.len())
    }
}
