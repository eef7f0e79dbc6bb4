//! Whose a certificate is: the one name in it, and its key.
//!
//! Whether it may be believed is not asked here: TLS has verified it, or will.

use sha2::{Digest, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

/// Who bears a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The only name in it, a DNS name.
    pub name: String,
    /// SHA-256 of its public key (SPKI in DER), in lower-case hexadecimal digits.
    pub key: String,
}

/// Why a certificate does not say whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBearer {
    /// It is no certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// It has no name, or several, or one that is no DNS name.
    #[error("the certificate is not for one DNS name")]
    Names,
}

impl Bearer {
    /// Reads a certificate in DER.
    pub fn read(der: &[u8]) -> Result<Self, NoBearer> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NoBearer::Unreadable)?;
        let extension = certificate.subject_alternative_name().map_err(|_| NoBearer::Names)?;
        let names = extension.ok_or(NoBearer::Names)?.value.general_names.as_slice();
        let [GeneralName::DNSName(name)] = names else { return Err(NoBearer::Names) };
        let key = hex::encode(Sha256::digest(certificate.public_key().raw));
        Ok(Self { name: (*name).to_owned(), key })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PublicKeyData, SanType};

    use super::*;

    fn read(names: &[SanType]) -> (Result<Bearer, NoBearer>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.subject_alt_names = names.to_vec();
        let certificate = parameters.self_signed(&key).unwrap();
        (Bearer::read(certificate.der()), key)
    }

    #[test]
    fn one_name_says_whose_it_is() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let address = SanType::IpAddress([127, 0, 0, 1].into());
        let (bearer, key) = read(&[dns("a.example")]);
        let digest = hex::encode(Sha256::digest(key.subject_public_key_info()));
        assert_eq!(bearer, Ok(Bearer { name: "a.example".to_owned(), key: digest }));
        for names in
            [vec![], vec![dns("a"), dns("b")], vec![dns("a"), address.clone()], vec![address]]
        {
            assert_eq!(read(&names).0, Err(NoBearer::Names), "{names:?}");
        }
        assert_eq!(Bearer::read(b"nonsense"), Err(NoBearer::Unreadable));
    }
}
