//! The node authority: who proves to whom that a machine is a node of this installation.
//!
//! It is our own and signs nothing else. Of what a machine asks for, only its public key is taken: name,
//! usages and dates are the authority's. All keys are ECDSA P-256. Nothing here is kept; `daemon` has
//! the files, and `ops` says who is a node.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData, SerialNumber,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::MadeError;
use crate::model::{NodeKey, NodeName, Timestamp};

/// The authority, with its key.
#[derive(Debug)]
pub struct NodeAuthority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    lasts: Duration,
}

/// What a node proves itself with.
#[derive(Debug)]
pub struct NodeCredentials {
    /// Its certificate, in PEM.
    pub chain: String,
    /// Its private key, in PEM.
    pub key: Zeroizing<String>,
}

/// A machine's wish for a certificate, whose signature shows that it has the private key.
#[derive(Debug)]
pub struct NodeRequest {
    public: PublicKey,
    key: NodeKey,
}

/// Why a text is no such wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// It cannot be read, or is not signed by its own key.
    #[error("it is no PKCS#10 request in PEM that is signed by its own key")]
    Unreadable,
    /// Keys of other kinds.
    #[error("its key is not ECDSA P-256")]
    Algorithm,
}

impl NodeAuthority {
    /// A new one: its certificate and its private key, in PEM.
    pub fn make(now: Timestamp) -> Result<(String, Zeroizing<String>), MadeError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut parameters = named("paas node authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        between(&mut parameters, now, AUTHORITY_LASTS);
        let certificate = parameters.self_signed(&key)?;
        Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
    }

    /// From what [`Self::make`] made.
    pub fn open(certificate: &str, key: &str) -> Result<Self, MadeError> {
        let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key)?)?;
        Ok(Self { pem: certificate.to_owned(), issuer, lasts: LASTS })
    }

    /// The same one, whose certificates last so long.
    #[must_use]
    pub fn signing_for(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    /// How long a certificate lasts that it signs.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Its certificate in PEM, which is all that a node believes.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate of the node `name`, in PEM, for the key of its request.
    pub fn sign(
        &self,
        name: &NodeName,
        request: &NodeRequest,
        now: Timestamp,
    ) -> Result<String, MadeError> {
        self.certify(name, &request.public, now)
    }

    /// A certificate with a new key: the control's own.
    pub fn issue(&self, name: &NodeName, now: Timestamp) -> Result<NodeCredentials, MadeError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let chain = self.certify(name, &key, now)?;
        Ok(NodeCredentials { chain, key: Zeroizing::new(key.serialize_pem()) })
    }

    fn certify(
        &self,
        name: &NodeName,
        key: &impl PublicKeyData,
        now: Timestamp,
    ) -> Result<String, MadeError> {
        let mut parameters = CertificateParams::new(vec![name.in_certificate()])?;
        parameters.distinguished_name = named(name.as_str()).distinguished_name;
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.use_authority_key_identifier_extension = true;
        // Without one the library derives it from the key, which a node may keep.
        parameters.serial_number = Some(SerialNumber::from(rand::random::<[u8; 16]>().to_vec()));
        between(&mut parameters, now, self.lasts);
        Ok(parameters.signed_by(key, &self.issuer)?.pem())
    }
}

impl NodeRequest {
    /// Reads a request (PKCS#10, PEM) and checks that its own key signed it.
    pub fn read(pem: &str) -> Result<Self, InvalidRequest> {
        let read = CertificateSigningRequestParams::from_pem(pem);
        let public = read.map_err(|_| InvalidRequest::Unreadable)?.public_key;
        if public.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(InvalidRequest::Algorithm);
        }
        let key = recognised_by(&public);
        Ok(Self { public, key })
    }

    /// A machine's own wish, signed by its private key in PEM.
    pub fn write(key: &str) -> Result<String, MadeError> {
        let parameters = named("a machine that wants to join");
        Ok(parameters.serialize_request(&KeyPair::from_pem(key)?)?.pem()?)
    }

    /// What the machine will be recognised by.
    pub fn key(&self) -> &NodeKey {
        &self.key
    }
}

fn recognised_by(public: &impl PublicKeyData) -> NodeKey {
    let digest = hex::encode(Sha256::digest(public.subject_public_key_info()));
    digest.parse().expect("a SHA-256 has 64 hexadecimal digits")
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

/// Clocks of machines differ a little, so everything begins an hour ago.
fn between(parameters: &mut CertificateParams, now: Timestamp, lasts: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |time: Timestamp| epoch + time.since(Timestamp::default());
    let hour = Timestamp::from_millis(now.as_millis().saturating_sub(3_600_000));
    parameters.not_before = at(hour);
    parameters.not_after = at(now.plus(lasts));
}

/// How long a node's certificate lasts unless somebody says otherwise.
const LASTS: Duration = Duration::from_hours(24 * 30);
/// The authority is replaced by hand, if ever.
const AUTHORITY_LASTS: Duration = Duration::from_hours(24 * 365 * 30);

#[cfg(test)]
mod tests {
    use x509_parser::{
        certificate::X509Certificate, extensions::GeneralName, pem::Pem, prelude::FromDer as _,
    };

    use super::*;
    use crate::pki::private_key;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

    fn authority() -> NodeAuthority {
        let (certificate, key) = NodeAuthority::make(NOW).unwrap();
        NodeAuthority::open(&certificate, &key).unwrap()
    }

    fn name() -> NodeName {
        "edge-1".parse().unwrap()
    }

    /// Looks at a certificate by another library than the one that made it.
    fn look<T>(pem: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
        let parts: Vec<_> =
            Pem::iter_from_buffer(pem.as_bytes()).collect::<Result<_, _>>().unwrap();
        assert_eq!(parts.len(), 1, "{pem}");
        look(&X509Certificate::from_der(&parts[0].contents).unwrap().1)
    }

    /// Everything that a node's certificate says, checked.
    fn is_a_nodes(authority: &NodeAuthority, chain: &str, key: &NodeKey) {
        look(authority.pem(), |above| {
            assert!(above.is_ca());
            above.verify_signature(None).unwrap();
            look(chain, |own| {
                own.verify_signature(Some(above.public_key())).unwrap();
                assert_eq!(own.issuer(), above.subject());
                assert!(!own.is_ca());
                let names = own.subject_alternative_name().unwrap().unwrap();
                let expected = [GeneralName::DNSName("edge-1.node.paas.internal")];
                assert_eq!(names.value.general_names, expected);
                let usage = own.key_usage().unwrap().unwrap().value;
                assert!(usage.digital_signature() && !usage.key_cert_sign());
                let extended = own.extended_key_usage().unwrap().unwrap().value;
                assert!(extended.server_auth && extended.client_auth && !extended.any);
                let second = NOW.as_millis() / 1000;
                assert_eq!(own.validity().not_before.timestamp(), second - 3600);
                assert_eq!(own.validity().not_after.timestamp(), second + 30 * 86_400);
                let digest = hex::encode(Sha256::digest(own.public_key().raw));
                assert_eq!(digest, key.as_str());
            });
        });
    }

    #[test]
    fn of_a_request_only_the_key_is_taken() {
        let authority = authority();
        let key = KeyPair::from_pem(&private_key().unwrap()).unwrap();
        let mut greedy =
            CertificateParams::new(vec!["control.node.paas.internal".to_owned()]).unwrap();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let pem = greedy.serialize_request(&key).unwrap().pem().unwrap();
        let request = NodeRequest::read(&pem).unwrap();
        let chain = authority.sign(&name(), &request, NOW).unwrap();
        is_a_nodes(&authority, &chain, request.key());
    }

    #[test]
    fn a_machines_own_request_is_read_and_two_certificates_differ() {
        let authority = authority();
        let key = private_key().unwrap();
        let request = NodeRequest::read(&NodeRequest::write(&key).unwrap()).unwrap();
        let again = NodeRequest::read(&NodeRequest::write(&key).unwrap()).unwrap();
        assert_eq!(request.key(), again.key(), "the key is what it is recognised by");
        let sign = || authority.sign(&name(), &request, NOW).unwrap();
        let serial = |pem: &str| look(pem, |own| own.raw_serial().to_vec());
        let (one, two) = (sign(), sign());
        is_a_nodes(&authority, &one, request.key());
        assert_ne!(serial(&one), serial(&two));
    }

    #[test]
    fn it_lasts_as_long_as_is_said() {
        let authority = authority().signing_for(Duration::from_mins(90));
        let own = authority.issue(&name(), NOW).unwrap();
        let until = look(&own.chain, |own| own.validity().not_after.timestamp());
        assert_eq!(until, NOW.as_millis() / 1000 + 90 * 60);
    }

    #[test]
    fn the_control_gets_one_with_a_key() {
        let authority = authority();
        let own = authority.issue(&name(), NOW).unwrap();
        let key = recognised_by(&KeyPair::from_pem(&own.key).unwrap());
        is_a_nodes(&authority, &own.chain, &key);
    }

    #[test]
    fn requests_of_other_keys_and_what_is_none() {
        let read = |pem: &str| NodeRequest::read(pem).unwrap_err();
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pem = named("x").serialize_request(&other).unwrap().pem().unwrap();
        assert_eq!(read(&pem), InvalidRequest::Algorithm);
        let good = NodeRequest::write(&private_key().unwrap()).unwrap();
        assert_eq!(read(&good[..good.len() / 2]), InvalidRequest::Unreadable);
        assert_eq!(read(""), InvalidRequest::Unreadable);
        assert_eq!(read(authority().pem()), InvalidRequest::Unreadable);

        // One byte of the signature: whoever asks does not have the key.
        let mut der = Pem::iter_from_buffer(good.as_bytes()).next().unwrap().unwrap().contents;
        *der.last_mut().unwrap() ^= 1;
        let read = CertificateSigningRequestParams::from_der(&der.into());
        assert_eq!(read.unwrap_err(), rcgen::Error::InvalidCertificationRequestSignature);
    }
}
