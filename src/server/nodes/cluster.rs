//! What a machine that wants to join is told of this one, and whether there is enough to tell.

use std::{net::SocketAddr, sync::Arc};

use crate::{model::NodeName, ops::Refusal, pki::NodeAuthority};

/// This machine as the one that controls others.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// What it is called among nodes.
    pub control: NodeName,
    /// Who signs nodes' certificates.
    pub authority: Arc<NodeAuthority>,
    /// Where nodes reach its link, the likeliest first.
    pub link: Vec<SocketAddr>,
    /// Where a machine that is to join reaches the API, over TLS, the likeliest first.
    pub api: Vec<SocketAddr>,
    /// SHA-256 of the certificate of the API's authority.
    pub fingerprint: [u8; 32],
}

/// Why no machine can join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unjoinable {
    /// There is no link.
    Alone,
    /// It is not known where the link is reached.
    NoLink,
    /// Nobody but this machine reaches the API.
    NoApi,
}

impl Cluster {
    /// Says what is missing for others to join.
    pub fn check(&self) -> Result<(), Unjoinable> {
        let Some(link) = self.link.first() else { return Err(Unjoinable::NoLink) };
        let near = |at: &SocketAddr| at.ip().is_loopback();
        // Where even the link is for this machine only, both ends of it are.
        let reached = self.api.iter().any(|at| !near(at) || near(link));
        reached.then_some(()).ok_or(Unjoinable::NoApi)
    }
}

impl From<Unjoinable> for Refusal {
    fn from(missing: Unjoinable) -> Self {
        let (why, hint) = match missing {
            Unjoinable::Alone => (
                "this server has no link to other machines",
                "put `[cluster]` with `listen = \"0.0.0.0:7600\"` at the end of its config.toml and \
                 restart it: `systemctl restart paas`",
            ),
            Unjoinable::NoLink => (
                "it is not known where they reach this machine",
                "say so with `address = \"203.0.113.7:7600\"` below `[cluster]` in config.toml",
            ),
            Unjoinable::NoApi => (
                "they do not reach this server's API, which is where they ask",
                "set `api = \"0.0.0.0:8443\"` in config.toml, and `addresses` if this machine has no \
                 public address",
            ),
        };
        Self::conflict("other machines cannot join", why).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn what_is_missing_for_others_to_join() {
        let (pem, key) = NodeAuthority::make(Timestamp::default()).unwrap();
        let authority = Arc::new(NodeAuthority::open(&pem, &key).unwrap());
        let check = |link: &[&str], api: &[&str]| {
            let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
            let (control, authority) = ("box".parse().unwrap(), authority.clone());
            let (link, api) = (read(link), read(api));
            Cluster { control, authority, link, api, fingerprint: [0; 32] }.check()
        };
        assert_eq!(check(&["203.0.113.7:7600"], &["203.0.113.7:8443"]), Ok(()));
        assert_eq!(check(&["127.0.0.1:7600"], &["127.0.0.1:8443"]), Ok(()));
        assert_eq!(check(&[], &["203.0.113.7:8443"]), Err(Unjoinable::NoLink));
        assert_eq!(check(&["203.0.113.7:7600"], &["127.0.0.1:8443"]), Err(Unjoinable::NoApi));
        assert_eq!(check(&["127.0.0.1:7600"], &[]), Err(Unjoinable::NoApi));
    }
}
