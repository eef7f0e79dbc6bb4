//! The terms on which a worker shakes hands: one set of certificates, one set of ticket keys.
//!
//! Made anew when either changes; connections keep the terms they began with. The invariant: no
//! lock is taken and no session is remembered during a handshake.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};

use super::presented::{Ordinary, Presented, Proving, named};
use super::tickets::TicketKeys;
use crate::host::Host;

/// What a worker presents, ready for handshakes.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) presented: Arc<Presented>,
    ordinary: Arc<ServerConfig>,
    proving: Arc<ServerConfig>,
}

/// What becomes of a greeting.
#[derive(Debug)]
pub(super) enum Choice {
    /// An ordinary client; HTTP follows.
    Serve(Arc<ServerConfig>, Option<Host>),
    /// An authority that wants to see a proof; nothing follows.
    Prove(Arc<ServerConfig>),
    /// Nothing to present.
    Unknown,
}

impl Terms {
    pub(crate) fn new(presented: Arc<Presented>, tickets: &TicketKeys) -> Self {
        let mut ordinary = config(Arc::new(Ordinary(Arc::clone(&presented))));
        ordinary.alpn_protocols = SPOKEN.iter().map(|name| name.to_vec()).collect();
        ordinary.ticketer = Arc::new(tickets.clone());
        // The default of two is for browsers that open several connections at once with TLS 1.3
        // tickets used once each; ours may be used again, and each costs a seal and 200 bytes.
        ordinary.send_tls13_tickets = 1;
        let mut proving = config(Arc::new(Proving(Arc::clone(&presented))));
        proving.alpn_protocols = vec![PROOF.to_vec()];
        proving.send_tls13_tickets = 0;
        Self { presented, ordinary: Arc::new(ordinary), proving: Arc::new(proving) }
    }

    /// A proof is shown only to a client that asks for nothing else (RFC 8737 section 3), and only
    /// where there is one; others who ask find that no protocol of theirs is spoken here.
    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> Choice {
        let host = named(hello);
        if let Some(host) = &host
            && hello.alpn().is_some_and(|offered| offered.eq([PROOF]))
            && self.presented.challenge(host).is_some()
        {
            return Choice::Prove(Arc::clone(&self.proving));
        }
        match self.presented.shown(host.as_ref()) {
            Some(_) => Choice::Serve(Arc::clone(&self.ordinary), host),
            None => Choice::Unknown,
        }
    }
}

fn config(resolver: Arc<dyn ResolvesServerCert>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // The default is a map behind a lock that every handshake writes to.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config
}

/// The protocols spoken inside, the preferred one first.
const SPOKEN: &[&[u8]] = &[HTTP_2, HTTP_1_1];
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";
pub(super) const HTTP_2: &[u8] = b"h2";
/// RFC 8737.
const PROOF: &[u8] = b"acme-tls/1";
