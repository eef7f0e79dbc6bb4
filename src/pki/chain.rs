//! A chain of certificates in PEM, and what its first one says.
//!
//! Signatures are not verified: who presents a chain need not trust it, and browsers will tell.

use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, pem::Pem, prelude::FromDer as _,
    time::ASN1Time,
};

use crate::model::{DomainName, Timestamp};

/// What the first certificate of a chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The DNS names it is for.
    pub names: Vec<String>,
    /// Who signed it, for people.
    pub issuer: String,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// Whether each certificate names the next one as its issuer.
    pub in_order: bool,
    /// How many certificates there are.
    pub length: usize,
}

/// Why a text is not a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChain {
    /// There is no certificate in it.
    #[error("there is no PEM certificate in it")]
    Empty,
    /// One of them cannot be read.
    #[error("certificate {position} in it cannot be read")]
    Unreadable {
        /// Counted from one.
        position: usize,
    },
    /// There is something else among the certificates.
    #[error("part {position} in it is a {kind}, not a certificate")]
    Foreign {
        /// Counted from one.
        position: usize,
        /// What it is by its mark.
        kind: String,
    },
}

impl Chain {
    /// Reads a chain in PEM, the name's own certificate first.
    pub fn read(pem: &str) -> Result<Self, InvalidChain> {
        let mut parts = Vec::new();
        for (index, part) in Pem::iter_from_buffer(pem.as_bytes()).enumerate() {
            let position = index + 1;
            let part = part.map_err(|_| InvalidChain::Unreadable { position })?;
            if part.label != "CERTIFICATE" {
                let kind = part.label.to_lowercase();
                return Err(InvalidChain::Foreign { position, kind });
            }
            parts.push(part);
        }
        let mut certificates = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let unreadable = |_| InvalidChain::Unreadable { position: index + 1 };
            certificates.push(X509Certificate::from_der(&part.contents).map_err(unreadable)?.1);
        }
        let Some(own) = certificates.first() else { return Err(InvalidChain::Empty) };
        let links = certificates.iter().zip(certificates.iter().skip(1));
        Ok(Self {
            names: names(own),
            issuer: issuer(own),
            serial: hex::encode(own.raw_serial()),
            not_before: timestamp(own.validity().not_before),
            not_after: timestamp(own.validity().not_after),
            in_order: links.clone().all(|(below, above)| below.issuer() == above.subject()),
            length: certificates.len(),
        })
    }

    /// Whether it is for this name: itself, or a wildcard of one label over it.
    pub fn covers(&self, name: &DomainName) -> bool {
        covers(&self.names, name)
    }
}

/// Whether one of these names is `name`, or a wildcard of one label over it.
pub fn covers(names: &[String], name: &DomainName) -> bool {
    let parent = name.as_str().split_once('.').map(|(_, parent)| parent);
    names.iter().any(|own| {
        own == name.as_str() || own.strip_prefix("*.").is_some_and(|base| Some(base) == parent)
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.map(|extension| extension.value.general_names.as_slice());
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.unwrap_or_default().iter().filter_map(dns).collect()
}

/// The organisation and the name of the signer: `Let's Encrypt R11`.
fn issuer(certificate: &X509Certificate<'_>) -> String {
    let issuer = certificate.issuer();
    let organisation = issuer.iter_organization().next().and_then(|part| part.as_str().ok());
    let name = issuer.iter_common_name().next().and_then(|part| part.as_str().ok());
    let parts: Vec<&str> = organisation.into_iter().chain(name).collect();
    if parts.is_empty() { issuer.to_string() } else { parts.join(" ") }
}

fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(time.timestamp().saturating_mul(1000))
}
