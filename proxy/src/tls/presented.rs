//! The certificates of the edge as one worker looks things up in them.
//!
//! Built when a set is published, never during a handshake, and never changed: a handshake keeps
//! the set it began with. It does not say what is done where nothing is found.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificates::{Certificate, Certificates};
use crate::host::Host;
use crate::pattern::ByHost;

/// What to present, and what to answer, by host.
#[derive(Debug, Default)]
pub(crate) struct Presented {
    hosts: ByHost<Certificate>,
    challenges: HashMap<Host, Certificate>,
    fallback: Option<Certificate>,
    answers: HashMap<Host, HashMap<Box<str>, Arc<str>>>,
}

impl Presented {
    /// The certificate for this host: its own, else a wildcard's.
    pub(crate) fn certificate(&self, host: &Host) -> Option<&Certificate> {
        self.hosts.get(host)
    }

    /// What a client is shown that asks for this host, or for none.
    pub(crate) fn shown(&self, host: Option<&Host>) -> Option<&Certificate> {
        host.and_then(|host| self.certificate(host)).or(self.fallback.as_ref())
    }

    /// The answer to an authority's challenge about this host (RFC 8737).
    pub(crate) fn challenge(&self, host: &Host) -> Option<&Certificate> {
        self.challenges.get(host)
    }

    /// What the edge itself answers at this path of this host, before anything else is looked at.
    pub(crate) fn answer(&self, host: &Host, path: &str) -> Option<&Arc<str>> {
        self.answers.get(host)?.get(path)
    }

    /// Whether a client that was shown the certificate for one host must not be answered for
    /// another, because that one has a certificate of its own (RFC 9110 section 15.5.20).
    pub(crate) fn are_apart(&self, shown: &Host, asked: &Host) -> bool {
        shown != asked
            && self.certificate(asked).is_some_and(|own| {
                self.shown(Some(shown)).is_none_or(|other| !Arc::ptr_eq(&own.whole, &other.whole))
            })
    }
}

impl From<&Certificates> for Presented {
    fn from(set: &Certificates) -> Self {
        let mut answers: HashMap<Host, HashMap<Box<str>, Arc<str>>> = HashMap::new();
        for ((host, path), text) in &set.answers {
            answers.entry(host.clone()).or_default().insert(path.clone(), Arc::clone(text));
        }
        let challenges = set.challenges.iter().map(|(host, own)| (host.clone(), own.clone()));
        Self {
            hosts: ByHost::from(&set.hosts),
            challenges: challenges.collect(),
            fallback: set.fallback.clone(),
            answers,
        }
    }
}

/// The host that a client named in its greeting. An address is no name (RFC 6066 section 3).
pub(crate) fn named(hello: &ClientHello<'_>) -> Option<Host> {
    hello.server_name().and_then(|name| Host::parse(name).ok())
}

/// Shows what ordinary clients see.
#[derive(Debug)]
pub(super) struct Ordinary(pub(super) Arc<Presented>);

impl ResolvesServerCert for Ordinary {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.shown(named(&hello).as_ref()).map(|shown| Arc::clone(&shown.whole))
    }
}

/// Shows what certificate authorities look for.
#[derive(Debug)]
pub(super) struct Proving(pub(super) Arc<Presented>);

impl ResolvesServerCert for Proving {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = named(&hello)?;
        self.0.challenge(&host).map(|proof| Arc::clone(&proof.whole))
    }
}
