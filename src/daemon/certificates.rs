//! The task that gets certificates, put together from the settings.

use std::{net::SocketAddr, sync::Arc};

use proxy::Edge;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    acme::{self, External},
    config::Config,
    control::certificates::{Certificates, Limits, Outlets, Platform, Settings, World, ZoneOf},
    daemon::{edge, folders::Folders},
    dns::{Lookup, LookupError},
    model::PublicNames,
    node::Edges,
    ops::rotate,
    server::Reach,
    store::{SealingKey, SealingKeyError, Store},
};

/// The key that secrets are sealed with; made if it is not there, and settled if it is being replaced.
pub(super) async fn sealing_key(
    config: &Config,
    folders: &Folders,
    store: &Store,
) -> Result<SealingKey, SealingKeyError> {
    let file = folders.keys().join("sealing.key");
    let sealing = SealingKey::open(&file, config.sealing_key.as_deref())?;
    rotate::settle(store, &sealing).await;
    Ok(sealing)
}

/// The world's DNS, as the settings say it is asked.
pub(super) fn lookup(config: &Config) -> Result<Lookup, LookupError> {
    config.resolver.map_or_else(Lookup::system, Lookup::at)
}

/// The task. Where no authority is asked it still presents what users supplied.
pub(super) fn begin(
    config: &Config,
    store: &Store,
    sealing: SealingKey,
    (edge, edges, names): (&Edge, Edges, watch::Receiver<Arc<PublicNames>>),
    reach: &Reach,
    outlets: Outlets,
) -> Result<Certificates, LookupError> {
    let acme = config.acme.as_ref();
    let external = acme.and_then(|acme| acme.external.clone());
    let (plain, tls) = edge::addresses(config, edge);
    let settings = Settings {
        platform: Platform {
            domain: config.domain.clone(),
            zone: if reach.dns { ZoneOf::Us } else { ZoneOf::Others },
        },
        directories: acme.map_or_else(Vec::new, |acme| acme.directories.clone()),
        acme: acme::Settings {
            email: acme.and_then(|acme| acme.email.clone()),
            root: acme.and_then(|acme| acme.root.clone()),
            external: external.map(|(id, key)| External { id, key: Zeroizing::new(key) }),
        },
        http_port: plain.first().map(SocketAddr::port),
        tls_port: tls.first().map(SocketAddr::port),
        limits: Limits::default(),
    };
    let world = World { lookup: lookup(config)?, edges, names };
    Ok(Certificates::new(store.clone(), sealing, settings, world, outlets))
}
