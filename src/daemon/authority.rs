//! Our own certificate authorities, in the folder of keys: the API's, made at the first start and pinned by
//! `paas login`, and the one of nodes, made when the first may join; what that signs is `pki`'s.
//!
//! The fingerprint of the API's authority never changes; the certificate that the API presents is renewed
//! under it long before it ends. Keys are ECDSA P-256, in files only root can read.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    daemon::init::write_secret,
    model::Timestamp,
    pki::{MadeError, NodeAuthority},
};

/// The name that the API's certificate always has, whatever the machine is called.
pub const NAME: &str = "paas.internal";

/// An authority with its key.
#[derive(Debug)]
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its files cannot be read or written.
    #[error("the authority's keys at {} cannot be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// Its files are not what they should be, or a certificate cannot be made.
    #[error("the API's certificate cannot be made")]
    Certificate(#[source] rcgen::Error),
    /// The node authority's are not what they should be.
    #[error("the node authority cannot be used")]
    Nodes(#[from] MadeError),
    /// The certificate cannot be used for TLS.
    #[error("the API's certificate cannot be used")]
    Tls(#[source] rustls::Error),
}

impl Authority {
    /// Opens the authority in `folder`, or makes one.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let (pem, key) = kept(folder, "api-ca", || {
            let key = KeyPair::generate().map_err(AuthorityError::Certificate)?;
            let certificate = parameters(now)?.self_signed(&key);
            let certificate = certificate.map_err(AuthorityError::Certificate)?;
            Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
        })?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| {
            let (path, source) = (folder.join("api-ca.pem"), io::Error::other(error));
            AuthorityError::File { path, source }
        })?;
        let key = KeyPair::from_pem(&key).map_err(AuthorityError::Certificate)?;
        // What an issuer takes from its parameters, name and key usage, is the same at all times.
        let issuer = Issuer::new(parameters(now)?, key);
        Ok(Self { certificate, issuer })
    }

    /// `sha256:` and the digest of the authority's certificate, as `paas login` pins it.
    pub fn fingerprint(&self) -> String {
        format!("sha256:{}", hex::encode(self.digest()))
    }

    /// SHA-256 of the authority's certificate.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// A certificate for the API under these names and addresses, with the authority's behind it.
    pub fn issue(
        &self,
        names: &[String],
        addresses: &[IpAddr],
        now: Timestamp,
    ) -> Result<CertifiedKey, AuthorityError> {
        let names = names.iter().map(String::as_str).chain([NAME, "localhost"]);
        let mut parameters = CertificateParams::new(names.map(str::to_owned).collect::<Vec<_>>())
            .map_err(AuthorityError::Certificate)?;
        parameters
            .subject_alt_names
            .extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        parameters.distinguished_name.push(DnType::CommonName, NAME);
        let (year, month) = year_and_month(now);
        parameters.not_before = rcgen::date_time_ymd(year - 1, month, 1);
        parameters.not_after = rcgen::date_time_ymd(year + 2, month, 1);
        let key = KeyPair::generate().map_err(AuthorityError::Certificate)?;
        let certificate =
            parameters.signed_by(&key, &self.issuer).map_err(AuthorityError::Certificate)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = aws_lc_rs::sign::any_ecdsa_type(&private).map_err(AuthorityError::Tls)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok(CertifiedKey::new(chain, signer))
    }
}

/// Opens the node authority in `folder`, or makes one; its certificates last so long.
pub fn of_nodes(
    folder: &Path,
    lasts: Duration,
    now: Timestamp,
) -> Result<NodeAuthority, AuthorityError> {
    let (pem, key) = kept(folder, "node-ca", || Ok(NodeAuthority::make(now)?))?;
    Ok(NodeAuthority::open(&pem, &key)?.signing_for(lasts))
}

/// The certificate and the key of an authority, in PEM; made if they are not there. The certificate is
/// written last: if it is there, so is its key.
fn kept(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> Result<(String, Zeroizing<String>), AuthorityError>,
) -> Result<(String, Zeroizing<String>), AuthorityError> {
    let (key_path, path) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.pem")));
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| AuthorityError::File { path, source }
    };
    if !path.exists() {
        let (certificate, key) = make()?;
        write_secret(&key_path, key.as_bytes()).map_err(file(&key_path))?;
        write_secret(&path, certificate.as_bytes()).map_err(file(&path))?;
    }
    let key = fs::read_to_string(&key_path).map_err(file(&key_path))?;
    let pem = fs::read_to_string(&path).map_err(file(&path))?;
    Ok((pem, Zeroizing::new(key)))
}

/// The certificate that the API presents; it can be replaced while connections are open.
#[derive(Debug)]
pub struct Presented(RwLock<Arc<CertifiedKey>>);

impl Presented {
    /// Presents this one.
    pub fn new(certificate: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(certificate))))
    }

    /// Presents another one from now on.
    pub fn replace(&self, certificate: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
    }

    /// What is presented now.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The TLS settings of the API: TLS 1.3 and 1.2, HTTP/1.1.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, AuthorityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(AuthorityError::Tls)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn parameters(now: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut parameters =
        CertificateParams::new(Vec::<String>::new()).map_err(AuthorityError::Certificate)?;
    parameters.distinguished_name.push(DnType::CommonName, "paas API authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let (year, month) = year_and_month(now);
    parameters.not_before = rcgen::date_time_ymd(year - 1, month, 1);
    parameters.not_after = rcgen::date_time_ymd(year + 30, month, 1);
    Ok(parameters)
}

/// Certificates begin a year ago, because clocks of clients may be wrong.
fn year_and_month(now: Timestamp) -> (i32, u8) {
    let text = now.to_string();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse().ok());
    (
        part(0, 4).unwrap_or(2026),
        part(5, 7).and_then(|month: i32| u8::try_from(month).ok()).unwrap_or(1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_found_again_with_the_same_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_790_000_000_000);
        let first = Authority::open(folder.path(), now).unwrap();
        let again = Authority::open(folder.path(), now).unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        let chain = again.issue(&["box".to_owned()], &[], now).unwrap().cert;
        assert_eq!(chain.len(), 2);
        let mode = |name: &str| {
            use std::os::unix::fs::PermissionsExt;
            fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode("api-ca.key"), mode("api-ca.pem")), (0o600, 0o600));
        let nodes = || of_nodes(folder.path(), Duration::from_hours(1), now).unwrap();
        assert_eq!(nodes().pem(), nodes().pem());
        assert_eq!((mode("node-ca.key"), mode("node-ca.pem")), (0o600, 0o600));
    }
}
