//! Who a daemon is on links, and whom it believes: its own chain and key, and the node authority.
//!
//! The invariant: no other authority counts, TLS 1.2 does not exist here, and no session is resumed, so
//! that every connection begins with both certificates being looked at.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{Resumption, WebPkiServerVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use tokio::sync::watch;

use super::wire::ALPN;
use crate::{
    model::NodeName,
    pki::{Bearer, NoBearer},
};

/// What a daemon shows; a renewed identity is shown from the next handshake on.
pub type Credentials = watch::Receiver<Arc<Identity>>;

/// A node's own name, chain and key, and the authority that it believes; and whether it leads.
#[derive(Debug)]
pub struct Identity {
    name: NodeName,
    leads: Option<u64>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A text is not what it should be.
    #[error("the node's {part} cannot be read")]
    Pem {
        /// Which text.
        part: &'static str,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// The certificate says nothing of whose it is.
    #[error("the node's chain cannot be used")]
    Nameless(#[source] NoBearer),
    /// The certificate is somebody else's.
    #[error("the node's certificate is for `{found}`, not for `{wanted}`")]
    Name {
        /// The name in it.
        found: String,
        /// The node's.
        wanted: String,
    },
    /// Chain and key do not fit, or TLS cannot use them.
    #[error("the node's certificate and key cannot be used")]
    Tls(#[source] rustls::Error),
    /// The authority's certificate is no authority's.
    #[error("the node authority's certificate cannot be used")]
    Authority(#[source] rustls::Error),
}

impl Identity {
    /// Puts it together from PEM texts; the chain must be for `name`, and the key the chain's.
    pub fn from_pem(
        name: NodeName,
        authority: &str,
        chain: &str,
        key: &str,
    ) -> Result<Self, IdentityError> {
        let unreadable = |part| move |source| IdentityError::Pem { part, source };
        let authority = CertificateDer::from_pem_slice(authority.as_bytes())
            .map_err(unreadable("authority"))?;
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(unreadable("chain"))?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable("private key"))?;
        let leaf = chain.first().ok_or(pem::Error::NoItemsFound).map_err(unreadable("chain"))?;
        let bearer = Bearer::read(leaf).map_err(IdentityError::Nameless)?;
        if bearer.name != name.in_certificate() {
            return Err(IdentityError::Name { found: bearer.name, wanted: name.in_certificate() });
        }
        let signer = aws_lc_rs::sign::any_supported_type(&key).map_err(IdentityError::Tls)?;
        let own = CertifiedKey::new(chain, signer);
        own.keys_match().map_err(IdentityError::Tls)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(IdentityError::Authority)?;
        let (own, roots) = (Arc::new(SingleCertAndKey::from(own)), Arc::new(roots));
        Ok(Self { name, leads: None, server: server(&own, &roots)?, client: client(&own, &roots)? })
    }

    /// The same of a daemon that leads in this term, if it does.
    #[must_use]
    pub fn leading(self, leads: Option<u64>) -> Self {
        Self { leads, ..self }
    }

    /// With which term its daemon leads, if it does.
    pub(super) fn leads(&self) -> Option<u64> {
        self.leads
    }

    /// Whose it is.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }
}

fn server(
    own: &Arc<SingleCertAndKey>,
    roots: &Arc<RootCertStore>,
) -> Result<Arc<ServerConfig>, IdentityError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| IdentityError::Authority(rustls::Error::General(error.to_string())))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::Tls)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(own.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn client(
    own: &Arc<SingleCertAndKey>,
    roots: &Arc<RootCertStore>,
) -> Result<Arc<ClientConfig>, IdentityError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| IdentityError::Authority(rustls::Error::General(error.to_string())))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::Tls)?
        .with_webpki_verifier(verifier)
        .with_client_cert_resolver(own.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
