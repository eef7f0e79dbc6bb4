//! Certificates as text, for the edge of another machine.
//!
//! Private keys are in it: it goes over connections that are sealed, and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::certificates::InvalidCertificate;

/// A certificate chain with its key: DER, each in base64.
#[derive(Serialize, Deserialize)]
pub(crate) struct Packed {
    chain: Vec<String>,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ocsp: Option<String>,
}

type Unpacked = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Option<Vec<u8>>);

impl Packed {
    pub(crate) fn new(
        chain: &[CertificateDer<'_>],
        key: &PrivateKeyDer<'_>,
        ocsp: Option<&[u8]>,
    ) -> Self {
        Self {
            chain: chain.iter().map(|one| STANDARD.encode(one)).collect(),
            key: STANDARD.encode(key.secret_der()),
            ocsp: ocsp.map(|response| STANDARD.encode(response)),
        }
    }

    pub(crate) fn unpack(self) -> Result<Unpacked, InvalidCertificate> {
        let chain = self.chain.iter().map(|one| STANDARD.decode(one).map(CertificateDer::from));
        let chain = chain.collect::<Result<_, _>>().map_err(|_| InvalidCertificate::Chain)?;
        let key = STANDARD.decode(self.key).map_err(|_| InvalidCertificate::Key)?;
        let key = PrivateKeyDer::try_from(key).map_err(|_| InvalidCertificate::Key)?;
        let ocsp = self.ocsp.map(|response| STANDARD.decode(response)).transpose();
        Ok((chain, key, ocsp.map_err(|_| InvalidCertificate::Chain)?))
    }
}

/// Answers as a list, since a host and a path together are no key of a JSON object.
pub(crate) mod answers {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::host::Host;

    type Answers = BTreeMap<(Host, Box<str>), Arc<str>>;

    pub(crate) fn serialize<S: Serializer>(answers: &Answers, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(answers)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Answers, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Certificate, Certificates, Host};

    #[test]
    fn certificates_come_back_as_they_were() {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let certificate = Certificate::from_pem(&chain, &key).unwrap().with_ocsp(vec![7]);
        let mut all = Certificates { generation: 3, ..Certificates::default() };
        all.hosts.insert("*.a.test".parse().unwrap(), certificate.clone());
        all.answers.insert((Host::parse("a.test").unwrap(), "/proof".into()), Arc::from("yes"));
        all.fallback = Some(certificate);
        let text = serde_json::to_string(&all).unwrap();
        let back: Certificates = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        let shown = &back.hosts[&"*.a.test".parse().unwrap()];
        assert_eq!(shown.whole.ocsp.as_deref(), Some(&[7][..]));
        assert_eq!(back.answers, all.answers);
        let broken = text.replacen("\"key\":\"", "\"key\":\"AAAA", 1);
        assert!(serde_json::from_str::<Certificates>(&broken).is_err());
    }
}
