//! Where users come in: the API's listeners, and the SSH server. Bound together, handed over together,
//! opened together.

use std::{io, net::SocketAddr, os::fd::OwnedFd};

use crate::{
    config::Config,
    daemon::{api, error::RunError, folders::Folders, ssh, tasks::Tasks},
    node::Within,
    server::{Api, Ssh},
    store::{SealingKey, Store},
};

/// All of them.
#[derive(Debug)]
pub(super) struct Doors {
    api: Vec<api::Bound>,
    ssh: Option<ssh::Bound>,
}

impl Doors {
    /// Binds what is not among the `inherited`; what is, is taken out.
    pub(super) async fn bind(
        config: &Config,
        folders: &Folders,
        records: (&Store, &SealingKey),
        inherited: &mut Vec<OwnedFd>,
    ) -> Result<Self, RunError> {
        let api = api::bind(config, folders, inherited).await?;
        let ssh = ssh::bind(config, records, inherited).await?;
        Ok(Self { api, ssh })
    }

    /// What clients have to know of the SSH server.
    pub(super) fn ssh(&self) -> Option<Ssh> {
        self.ssh.as_ref().map(|ssh| ssh.known.clone())
    }

    /// Where the API is listened for over TLS, and SHA-256 of its authority's certificate; `None` if nowhere.
    pub(super) fn tls(&self) -> Option<(Vec<SocketAddr>, [u8; 32])> {
        let (places, digests): (Vec<_>, Vec<_>) =
            self.api.iter().filter_map(api::Bound::tls).unzip();
        Some((places, *digests.first()?))
    }

    /// Where they are, for whoever is led on to here.
    pub(super) fn within(&self) -> Within {
        let api = self.api.iter().find_map(api::Bound::tls).map(|(at, _)| at);
        let socket = self.api.iter().find_map(api::Bound::socket_path);
        Within { api, socket, ssh: self.ssh.as_ref().and_then(ssh::Bound::at) }
    }

    /// Copies of their sockets, for a successor.
    pub(super) fn sockets(&self) -> impl Iterator<Item = io::Result<OwnedFd>> {
        let ssh = self.ssh.as_ref().map(ssh::Bound::socket);
        self.api.iter().map(api::Bound::socket).chain(ssh)
    }

    /// Says where they are.
    pub(super) fn announce(&self) {
        for bound in &self.api {
            tracing::info!(at = %bound.at, "api");
        }
        if let Some(ssh) = &self.ssh {
            ssh.announce();
        }
    }

    /// Takes whoever comes.
    pub(super) fn open(self, tasks: &mut Tasks, served: Api) {
        if let Some(ssh) = self.ssh {
            ssh.serve(tasks, &served);
        }
        api::serve(tasks, self.api, served);
    }
}
