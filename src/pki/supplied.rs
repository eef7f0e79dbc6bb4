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
