//! Where users come in to the machine that leads: others that keep the records lead them on to there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use tokio::{
    net::{TcpStream, UnixStream},
    sync::watch,
};

use super::link::{Far, Peer, Refused, reached};
use crate::model::NodeName;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The API's, over TLS.
    Api,
    /// The API's in the data folder, for whoever is root on a machine that has all that this one has.
    Socket,
    /// The SSH server's.
    Ssh,
}

impl Entrance {
    /// What a tunnel to it is asked for by; no container has such a name.
    pub fn target(self) -> &'static str {
        match self {
            Self::Api => "entrance/api",
            Self::Socket => "entrance/socket",
            Self::Ssh => "entrance/ssh",
        }
    }
}

/// Where this machine's are.
#[derive(Debug, Clone, Default)]
pub struct Within {
    /// Where the API listens over TLS.
    pub api: Option<SocketAddr>,
    /// Where it does in the data folder.
    pub socket: Option<PathBuf>,
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
    pub(super) async fn through(&self, peer: &Peer, target: &str) -> Option<Result<Far, Refused>> {
        let all = [Entrance::Api, Entrance::Socket, Entrance::Ssh];
        let entrance = all.into_iter().find(|entrance| entrance.target() == target)?;
        let is_keeper = self.keepers.borrow().contains(&peer.name);
        let way = if is_keeper { self.enter(entrance).await } else { None };
        Some(way.unwrap_or_else(|| Err(Refused::nobody("it may lead nobody in"))))
    }

    /// The way in there; `None` if nothing listens.
    async fn enter(&self, entrance: Entrance) -> Option<Result<Far, Refused>> {
        let at = match entrance {
            Entrance::Api => self.within.api?,
            Entrance::Ssh => self.within.ssh?,
            Entrance::Socket => {
                let at = self.within.socket.as_ref()?;
                return Some(reached(UnixStream::connect(at)).await);
            }
        };
        Some(reached(TcpStream::connect(from_here(at))).await)
    }
}

/// Where this machine itself finds what listens there.
fn from_here(at: SocketAddr) -> SocketAddr {
    if !at.ip().is_unspecified() {
        return at;
    }
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), at.port())
}
