//! Who is at the other end, as its certificate says, and who may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use rustls::CommonState;

use super::wire::ALPN;
use crate::{
    model::NodeName,
    pki::{Bearer, NoBearer},
};

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The node, by its certificate.
    pub name: NodeName,
    /// SHA-256 of its public key (SPKI in DER), in lower-case hexadecimal digits.
    pub key: String,
    /// Where it calls from.
    pub address: SocketAddr,
    /// Which version of paas it says that it is; `None` until it has said so.
    pub version: Option<String>,
    /// With which term it says that it leads, in the request that it makes.
    pub term: Option<u64>,
}

/// Who may come in, by name. Of a connection that is open it is asked again whenever it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted(pub BTreeMap<NodeName, Keys>);

/// By which keys a node may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// By any that the authority has signed with its name.
    Any,
    /// By these only; there are two while one takes over from the other.
    These(BTreeSet<String>),
}

impl Admitted {
    /// Whether this peer may come in, and stay.
    pub fn admits(&self, peer: &Peer) -> bool {
        match self.0.get(&peer.name) {
            None => false,
            Some(Keys::Any) => true,
            Some(Keys::These(keys)) => keys.contains(&peer.key),
        }
    }
}

/// Why the certificate that TLS has verified says nothing of a node.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPeer {
    /// It speaks something else.
    #[error("it does not speak {}", String::from_utf8_lossy(ALPN))]
    Protocol,
    /// It showed no certificate.
    #[error("it showed no certificate")]
    Bare,
    /// Its certificate says nothing of whose it is.
    #[error(transparent)]
    Nameless(#[from] NoBearer),
    /// Its certificate has another name than a node's.
    #[error("its certificate is for `{0}`, which is no node's name")]
    Name(String),
}

impl Peer {
    /// Reads who it is off a finished handshake.
    pub(super) fn of(tls: &CommonState, address: SocketAddr) -> Result<Self, NoPeer> {
        if tls.alpn_protocol() != Some(ALPN) {
            return Err(NoPeer::Protocol);
        }
        let leaf = tls.peer_certificates().and_then(<[_]>::first).ok_or(NoPeer::Bare)?;
        let bearer = Bearer::read(leaf)?;
        let name = NodeName::of_certificate(&bearer.name).ok_or(NoPeer::Name(bearer.name))?;
        Ok(Self { name, key: bearer.key, address, version: None, term: None })
    }
}
