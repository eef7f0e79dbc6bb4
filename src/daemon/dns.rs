//! The DNS server, put together from the settings, and the tasks that say what it answers: on the machine that leads
//! what is published, and on each what of that it answers itself.

use std::{io, net::IpAddr, os::fd::OwnedFd, sync::Arc};

use tokio::sync::watch;

use super::{error::RunError, plane::PlaneError};
use crate::{
    config::Config,
    control::zones::{Answering, Answers, Naming},
    dns::{Limits, Server},
    engine::docker::Subnet,
    model::{NodeName, PublicNames, zone::Proofs},
    node::{Edges, Reach, addresses},
    store::Store,
};

/// The server, if there is one, and where it is said what it answers from.
#[derive(Debug)]
pub(super) struct Dns {
    pub(super) server: Option<Server>,
    answers: Option<Answers>,
    /// The serial number of what it answers from; `None` without a server.
    pub(super) answered: watch::Receiver<Option<u32>>,
}

/// The tasks, as far as they are needed here, and what is published.
#[derive(Debug)]
pub(super) struct Zoning {
    /// For DNS servers, here or elsewhere.
    pub(super) naming: Option<Naming>,
    /// For the one here.
    pub(super) answering: Option<Answering>,
    pub(super) names: watch::Receiver<Arc<PublicNames>>,
}

/// Listens where the settings say, on the sockets of a predecessor if it had them, and answers from what is told; no
/// server if they say nowhere.
pub(super) fn begin(config: &Config, inherited: Vec<OwnedFd>) -> Result<Dns, RunError> {
    if config.dns.is_empty() {
        return Ok(Dns { server: None, answers: None, answered: watch::channel(None).1 });
    }
    let (zones, answered_from) = watch::channel(Arc::default());
    let (serial, answered) = watch::channel(Some(0));
    // A resolver of this machine's own sits on another address of the loopback, and what containers ask on one of theirs.
    let containers: Subnet = config.subnets.parse().map_err(PlaneError::Subnets)?;
    let of_containers = |address| match address {
        IpAddr::V4(address) => containers.overlaps(Subnet::of(address)),
        IpAddr::V6(_) => false,
    };
    let places = addresses::each(&config.dns, of_containers);
    let server = Server::inherit(&places, &answered_from, Limits::default(), inherited)?;
    Ok(Dns { server: Some(server), answers: Some(Answers { zones, serial }), answered })
}

/// Copies of a server's sockets.
pub(super) fn sockets(server: Option<&Server>) -> impl Iterator<Item = io::Result<OwnedFd>> {
    server.map_or(&[][..], Server::sockets).iter().map(OwnedFd::try_clone)
}

impl Dns {
    /// What says what this machine answers, if it does, by what is published and the other machines that it reaches.
    pub(super) fn answering(
        self,
        names: watch::Receiver<Arc<PublicNames>>,
        own: (NodeName, watch::Receiver<Reach>),
    ) -> (Option<Server>, Option<Answering>) {
        (self.server, self.answers.map(|answers| Answering::new(names, own, answers)))
    }

    /// The same on the machine that leads, and what publishes. `proofs` is what certificate authorities are to find.
    pub(super) fn zoning(
        self,
        config: &Config,
        (store, edges): (&Store, &Edges),
        proofs: watch::Receiver<Arc<Proofs>>,
    ) -> (Option<Server>, Zoning) {
        let (publish, names) = watch::channel(Arc::default());
        let here = NodeName::of_machine(&config.node);
        let naming = (self.server.is_some() || config.cluster.is_some()).then(|| Naming {
            store: store.clone(),
            commits: store.changes(),
            proofs,
            platform: config.domain.clone(),
            here: here.clone(),
            edges: edges.clone(),
            there: edges.there(),
            names: publish,
        });
        // Whoever it does not reach it does not publish.
        let all = watch::channel(Reach::All).1;
        let (server, answering) = self.answering(names.clone(), (here, all));
        (server, Zoning { naming, answering, names })
    }
}
