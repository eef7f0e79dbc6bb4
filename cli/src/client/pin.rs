//! Trust in exactly one authority: the server's own, known by its fingerprint.
//!
//! A server presents its certificate and the authority that signed it. It is believed if the
//! authority is the pinned one, the certificate is valid under that authority alone and made for
//! the host or for `paas.internal` (the name in every server's certificate, for a server is
//! reached by whatever address), and the handshake is signed with its key. The public authorities
//! of the world count for nothing here.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};

use super::tls::{Judge, Presented};

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

/// Why a text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `sha256:` and 64 hexadecimal digits, as `paas init` shows it")]
pub(crate) struct NotAFingerprint;

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// The pinned authority among what a server presented, and whether the server's own certificate is for
/// `host`: we also take the name that all servers have, others do not.
pub(super) fn proof(
    chain: &[CertificateDer<'_>],
    pin: Fingerprint,
    host: &str,
) -> Option<(Vec<u8>, bool)> {
    let authority = chain.iter().find(|one| Fingerprint::of(one) == pin)?;
    let verifier = under(authority, Arc::new(aws_lc_rs::default_provider())).ok()?;
    let name = ServerName::try_from(host).ok()?;
    let proved = verifier.verify_server_cert(chain.first()?, chain, &name, &[], UnixTime::now());
    Some((authority.to_vec(), proved.is_ok()))
}

/// The name that every server's certificate carries.
pub(crate) const INTERNAL: &str = "paas.internal";

impl From<[u8; 32]> for Fingerprint {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits = text.trim().strip_prefix("sha256:").ok_or(NotAFingerprint)?.replace(':', "");
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| NotAFingerprint)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Believes a server of the pinned authority; without a pin it believes nobody and only notes who
/// was there.
#[derive(Debug)]
pub(super) struct Pinned {
    pin: Option<Fingerprint>,
    presented: OnceLock<Fingerprint>,
}

impl Pinned {
    /// Believes a server of the authority `pin`.
    pub(super) fn new(pin: Option<Fingerprint>) -> Self {
        Self { pin, presented: OnceLock::new() }
    }

    /// The authority that was presented, right or wrong.
    pub(super) fn presented(&self) -> Option<Fingerprint> {
        self.presented.get().copied()
    }
}

impl Judge for Pinned {
    fn judge(&self, presented: Presented<'_>, provider: &Arc<CryptoProvider>) -> Result<(), Error> {
        let Presented { leaf, chain, host, now } = presented;
        let last =
            chain.last().ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let pinned = chain.iter().find(|authority| Some(Fingerprint::of(authority)) == self.pin);
        self.presented.get_or_init(|| Fingerprint::of(pinned.unwrap_or(last)));
        let authority = pinned
            .ok_or(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))?;
        let verifier = under(authority, Arc::clone(provider))?;
        let outcome = verifier.verify_server_cert(leaf, chain, host, &[], now);
        let outcome = match outcome {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {
                let internal = ServerName::try_from(INTERNAL)
                    .map_err(|fault| Error::General(fault.to_string()))?;
                verifier.verify_server_cert(leaf, chain, &internal, &[], now)
            }
            outcome => outcome,
        };
        outcome.map(drop)
    }
}

/// Believes what this authority, and no other, has signed.
fn under(
    authority: &CertificateDer<'_>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone().into_owned())?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|fault| Error::General(fault.to_string()))
}
