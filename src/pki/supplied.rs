//! A certificate that a user brings: everything that is wrong with it is found at once, before it is
//! kept, and nothing is found by visitors.

use crate::{
    model::{DomainName, Issued, Sealed, Timestamp},
    pki::{Chain, InvalidChain},
};

/// A chain and a key that can be presented for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplied {
    /// What the chain says.
    pub chain: Chain,
    /// The chain as it was given.
    pem: String,
}

/// One reason why a chain and a key cannot be presented for a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The chain is none.
    #[error("the chain is not usable: {0}")]
    Chain(InvalidChain),
    /// The chain is longer than it can be kept.
    #[error("the chain has {size} bytes; {MOST} are the most")]
    Long {
        /// In bytes.
        size: usize,
    },
    /// The key is none, or belongs to another certificate.
    #[error("{0}")]
    Key(String),
    /// It is for other names.
    #[error("it is for {}, not for {name}", names.join(", "))]
    Names {
        /// The name it shall be presented for.
        name: DomainName,
        /// The names it is for.
        names: Vec<String>,
    },
    /// It has ended.
    #[error("it ended at {at}")]
    Ended {
        /// When.
        at: Timestamp,
    },
    /// It is not valid yet.
    #[error("it begins only at {at}")]
    Early {
        /// When.
        at: Timestamp,
    },
    /// A certificate is not signed by the one behind it.
    #[error("the certificates are not in order: each must be signed by the one behind it")]
    Disordered,
}

impl Supplied {
    /// Checks a chain and a private key, both in PEM, for one name; all problems are reported.
    pub fn check(
        name: &DomainName,
        chain_pem: &str,
        key_pem: &str,
        now: Timestamp,
    ) -> Result<Self, Vec<Unusable>> {
        if chain_pem.len() > MOST {
            return Err(vec![Unusable::Long { size: chain_pem.len() }]);
        }
        let chain = Chain::read(chain_pem).map_err(|error| vec![Unusable::Chain(error)])?;
        let mut problems = Vec::new();
        if let Err(error) = proxy::Certificate::from_pem(chain_pem, key_pem) {
            problems.push(Unusable::Key(error.to_string()));
        }
        if !chain.covers(name) {
            problems.push(Unusable::Names { name: name.clone(), names: chain.names.clone() });
        }
        if chain.not_after <= now {
            problems.push(Unusable::Ended { at: chain.not_after });
        }
        if chain.not_before > now {
            problems.push(Unusable::Early { at: chain.not_before });
        }
        if !chain.in_order {
            problems.push(Unusable::Disordered);
        }
        let pem = chain_pem.to_owned();
        if problems.is_empty() { Ok(Self { chain, pem }) } else { Err(problems) }
    }

    /// The same as it is kept, with its key sealed by the caller.
    pub fn issued(self, key: Sealed) -> Issued {
        Issued {
            chain: self.pem,
            key,
            names: self.chain.names,
            issuer: self.chain.issuer,
            serial: self.chain.serial,
            not_before: self.chain.not_before,
            not_after: self.chain.not_after,
            renew_at: None,
        }
    }
}

/// A record has 64 KiB; chains have three to six.
const MOST: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;

    /// A chain of two for one name, valid from day 0 to day 100, and its key.
    fn chain(name: &str) -> (String, String) {
        let mut above = CertificateParams::new(Vec::new()).unwrap();
        above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        above.distinguished_name.push(DnType::CommonName, "Test Authority");
        let above = CertifiedIssuer::self_signed(above, KeyPair::generate().unwrap()).unwrap();
        let mut own = CertificateParams::new(vec![name.to_owned()]).unwrap();
        own.distinguished_name.push(DnType::CommonName, name);
        own.not_before = rcgen::date_time_ymd(1970, 1, 1);
        own.not_after = rcgen::date_time_ymd(1970, 4, 11);
        let key = KeyPair::generate().unwrap();
        let own = own.signed_by(&key, &above).unwrap();
        (format!("{}{}", own.pem(), above.pem()), key.serialize_pem())
    }

    fn problems(name: &str, chain: &str, key: &str, day: i64) -> Vec<String> {
        let now = Timestamp::from_millis(day * 86_400_000);
        match Supplied::check(&name.parse().unwrap(), chain, key, now) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_good_one_is_taken_with_what_it_says() {
        let (chain, key) = chain("*.example.com");
        let now = Timestamp::from_millis(86_400_000);
        let name = "www.example.com".parse().unwrap();
        let supplied = Supplied::check(&name, &chain, &key, now).unwrap();
        let issued = supplied.issued(Sealed("sealed".to_owned()));
        assert_eq!(issued.names, ["*.example.com"]);
        assert_eq!(issued.issuer, "Test Authority");
        assert_eq!(issued.not_after.to_string(), "1970-04-11T00:00:00.000Z");
        assert_eq!(issued.renew_at, None);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let ((chain_a, key_a), (_, key_b)) = (chain("a.example"), chain("b.example"));
        assert_eq!(problems("a.example", &chain_a, &key_a, 1), Vec::<String>::new());
        let said = problems("b.example", &chain_a, &key_b, 200);
        assert_eq!(
            said,
            [
                "the key cannot be used with the certificate",
                "it is for a.example, not for b.example",
                "it ended at 1970-04-11T00:00:00.000Z",
            ]
        );
        let said = problems("a.example", &chain_a, &key_a, -1);
        assert_eq!(said, ["it begins only at 1970-01-01T00:00:00.000Z"]);
    }

    #[test]
    fn a_chain_is_read_as_it_is_presented() {
        let (good, key) = chain("a.example");
        let (other, _) = chain("b.example");
        let foreign = format!("{good}{key}");
        let said = problems("a.example", &foreign, &key, 1);
        assert_eq!(
            said,
            ["the chain is not usable: part 3 in it is a private key, not a certificate"]
        );
        let said = problems("a.example", &format!("{good}{other}"), &key, 1);
        assert_eq!(
            said,
            ["the certificates are not in order: each must be signed by the one behind it"]
        );
        let said = problems("a.example", "no PEM", &key, 1);
        assert_eq!(said, ["the chain is not usable: there is no PEM certificate in it"]);
        let said = problems("a.example", &"x".repeat(MOST + 1), &key, 1);
        assert_eq!(said, ["the chain has 32769 bytes; 32768 are the most"]);
    }
}
