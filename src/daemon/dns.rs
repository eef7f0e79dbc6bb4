//! The DNS server, put together from the settings, and the task that tells it what to answer.

use std::{os::fd::OwnedFd, sync::Arc};

use tokio::sync::watch;

use crate::{
    config::Config,
    control::zones::{Naming, Published},
    dns::{BindError, Limits, Server, Zones},
    model::zone::Proofs,
    node::{Edges, addresses},
    store::Store,
};

/// Where it is said what the server answers from.
type Answers = watch::Sender<Arc<Zones>>;

/// Listens where the settings say, on the sockets of a predecessor if it had them, and answers from
/// what is sent; `None` if they say nowhere.
pub(super) fn begin(
    config: &Config,
    inherited: Vec<OwnedFd>,
) -> Result<Option<(Server, Answers)>, BindError> {
    if config.dns.is_empty() {
        return Ok(None);
    }
    let (zones, answered) = watch::channel(Arc::<Zones>::default());
    // A resolver of this machine's own sits on another address of the loopback.
    let places = addresses::each(&config.dns, |_| false);
    let server = Server::inherit(&places, &answered, Limits::default(), inherited)?;
    Ok(Some((server, zones)))
}

/// What tells the server what to answer. `proofs` is what certificate authorities are to find.
pub(super) fn naming(
    config: &Config,
    store: &Store,
    edges: &Edges,
    proofs: watch::Receiver<Arc<Proofs>>,
    zones: Answers,
) -> Naming {
    Naming {
        store: store.clone(),
        commits: store.changes(),
        proofs,
        platform: config.domain.clone(),
        edges: edges.clone(),
        there: edges.there(),
        zones,
        published: Published::default(),
    }
}
