//! Where users come in to the machine that leads: others that keep the records lead them on to there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpStream, sync::watch};

use super::link::{Peer, Refused, reached};
use crate::model::NodeName;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The API's, over TLS.
    Api,
    /// The SSH server's.
    Ssh,
}

impl Entrance {
    /// What a tunnel to it is asked for by; no container has such a name.
    pub fn target(self) -> &'static str {
        match self {
            Self::Api => "entrance/api",
            Self::Ssh => "entrance/ssh",
        }
    }
}

/// Where this machine's are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Within {
    /// Where the API listens over TLS.
    pub api: Option<SocketAddr>,
    /// Where the SSH server does.
    pub ssh: Option<SocketAddr>,
}

/// The same, and for whom they are.
#[derive(Debug, Clone)]
pub struct Entrances {
    /// Where they are.
    pub within: Within,
    /// Who may lead somebody there.
    pub keepers: watch::Receiver<Arc<BTreeSet<NodeName>>>,
}

impl Entrances {
    /// The way in, if that is what the target is.
    pub(super) async fn through(
        &self,
        peer: &Peer,
        target: &str,
    ) -> Option<Result<TcpStream, Refused>> {
        let all = [(Entrance::Api, self.within.api), (Entrance::Ssh, self.within.ssh)];
        let (_, at) = all.into_iter().find(|(entrance, _)| entrance.target() == target)?;
        let is_keeper = self.keepers.borrow().contains(&peer.name);
        Some(match at.filter(|_| is_keeper) {
            Some(at) => reached(TcpStream::connect(from_here(at))).await,
            None => Err(Refused::nobody("it may lead nobody in")),
        })
    }
}

/// Where this machine itself finds what listens there.
fn from_here(at: SocketAddr) -> SocketAddr {
    if !at.ip().is_unspecified() {
        return at;
    }
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), at.port())
}
