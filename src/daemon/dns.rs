//! The DNS server, put together from the settings, and the task that tells it what to answer.

use std::{net::IpAddr, os::fd::OwnedFd, sync::Arc};

use tokio::sync::watch;

use crate::{
    config::Config,
    control::zones::{Naming, Published},
    dns::{BindError, Limits, Server, Zones},
    model::zone::Proofs,
    node::addresses,
    store::Store,
};

/// Listens where the settings say, on the sockets of a predecessor if it had them; `None` if they say
/// nowhere. `proofs` is what certificate authorities are to find.
pub(super) fn begin(
    config: &Config,
    store: &Store,
    proofs: watch::Receiver<Arc<Proofs>>,
    inherited: Vec<OwnedFd>,
) -> Result<Option<(Server, Naming)>, BindError> {
    if config.dns.is_empty() {
        return Ok(None);
    }
    let (zones, answered) = watch::channel(Arc::<Zones>::default());
    // A resolver of this machine's own sits on another address of the loopback.
    let places = addresses::each(&config.dns, |_| false);
    let server = Server::inherit(&places, &answered, Limits::default(), inherited)?;
    let naming = Naming {
        store: store.clone(),
        commits: store.changes(),
        proofs,
        platform: config.domain.clone(),
        addresses: config.addresses.clone(),
        zones,
        published: Published::default(),
    };
    Ok(Some((server, naming)))
}

/// The addresses under which the world reaches this machine, as far as it knows.
pub(super) fn public(config: &Config) -> Vec<IpAddr> {
    if config.addresses.is_empty() { addresses::public() } else { config.addresses.clone() }
}
