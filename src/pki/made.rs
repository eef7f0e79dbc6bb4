//! Certificates that we make ourselves: requests to authorities, proofs for them, and what the edge
//! shows where it has none. All keys are ECDSA P-256.

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use zeroize::Zeroizing;

use crate::model::DomainName;

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MadeError {
    /// The library refused.
    #[error("a certificate could not be made")]
    Library(#[from] rcgen::Error),
    /// The edge cannot present it.
    #[error("a certificate that was made cannot be presented")]
    Presented(#[from] proxy::InvalidCertificate),
}

/// A new private key in PEM.
pub fn private_key() -> Result<Zeroizing<String>, MadeError> {
    Ok(Zeroizing::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem()))
}

/// The request for a certificate of one name (PKCS#10, DER), signed with its private key in PEM.
pub fn request(name: &DomainName, key: &str) -> Result<Vec<u8>, MadeError> {
    let key = KeyPair::from_pem(key)?;
    let mut parameters = CertificateParams::new(vec![name.as_str().to_owned()])?;
    // Authorities take the name from the extension; a common name is a thing of the past.
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters.serialize_request(&key)?.der().to_vec())
}

/// What proves a name over TLS (RFC 8737 section 3): self-signed, with the digest of the proof in
/// a critical extension.
pub fn proof(name: &DomainName, digest: &[u8; 32]) -> Result<proxy::Certificate, MadeError> {
    let mut parameters = CertificateParams::new(vec![name.as_str().to_owned()])?;
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    made(&parameters)
}

/// What the edge presents where nothing fits: browsers warn, and show a name that says why.
pub fn fallback() -> Result<proxy::Certificate, MadeError> {
    let mut parameters = CertificateParams::new(vec![NO_CERTIFICATE.to_owned()])?;
    parameters.distinguished_name.push(DnType::CommonName, NO_CERTIFICATE);
    made(&parameters)
}

fn made(parameters: &CertificateParams) -> Result<proxy::Certificate, MadeError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = parameters.self_signed(&key)?;
    let private = Zeroizing::new(key.serialize_pem());
    Ok(proxy::Certificate::from_pem(&certificate.pem(), &private)?)
}

/// Cannot be anybody's name (RFC 6761 section 6.4).
const NO_CERTIFICATE: &str = "no-certificate.invalid";
