//! The edge, put together from the settings: where it listens, whom it believes, and how the world
//! finds it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use proxy::{AccessLog, Certificates, Edge, Feeds, Listen, Opening, Stuck, TicketKeys};

use crate::{
    clock,
    config::Config,
    control::routes::{EdgeKey, Ground},
    daemon::{error::RunError, folders::Folders, init::write_secret},
    dns::Server,
    node::Edges,
    server::{Listening, Reach},
    store::SealingKey,
};

/// Binds every address of the settings, plain ones first, but for those that are inherited. It
/// accepts nobody yet: whoever it did would be lost if this daemon did not come about.
pub(super) fn bind(
    config: &Config,
    feeds: &Feeds,
    access_log: &AccessLog,
    inherited: Vec<TcpListener>,
    tickets: Option<TicketKeys>,
) -> Result<Edge, RunError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let plain = config.http.iter().copied().map(Listen::http);
    let listen = plain.chain(config.https.iter().copied().map(Listen::https));
    let listen = if config.proxy_protocol {
        listen.map(Listen::behind_proxy).collect()
    } else {
        listen.collect()
    };
    let settings = proxy::Settings {
        inherited,
        tickets,
        // systemd starts it again, and a thread that hangs cannot be helped from within.
        stuck: Stuck::Abort,
        opening: Opening::WhenTold,
        workers: if config.edge_threads == 0 { cores } else { config.edge_threads },
        trusted: config
            .trusted
            .iter()
            .filter_map(|network| network.as_str().parse().ok())
            .collect(),
        ..proxy::Settings::new(listen, clock::system)
    };
    Edge::bind(settings, feeds, access_log).map_err(|source| {
        let tls = matches!(&source, proxy::BindError::Listen { address, .. }
            if config.https.contains(address));
        RunError::Edge { setting: if tls { "https" } else { "http" }, source }
    })
}

/// The edge's addresses, by what is spoken there.
pub(super) fn addresses<'a>(
    config: &Config,
    edge: &'a Edge,
) -> (&'a [SocketAddr], &'a [SocketAddr]) {
    let all = edge.addresses();
    all.split_at(config.http.len().min(all.len()))
}

/// What routes are made of besides the apps, before anything is bound: TLS is not sent to yet.
pub(super) fn ground(
    config: &Config,
    folders: &Folders,
    (certificates, sealing): (&Arc<Certificates>, &SealingKey),
) -> io::Result<Ground> {
    Ok(Ground {
        domain: config.domain.clone(),
        https: None,
        certificates: certificates.clone(),
        key: key(folders)?,
        sealing: sealing.clone(),
    })
}

/// Where the world finds apps once the edge is bound.
pub(super) fn reach(
    config: &Config,
    (edge, edges): (&Edge, &Edges),
    names: Option<&Server>,
) -> Reach {
    let (plain, tls) = addresses(config, edge);
    Reach {
        domain: config.domain.clone(),
        http: plain.first().map_or(80, SocketAddr::port),
        https: tls.first().map(SocketAddr::port),
        edges: edges.clone(),
        dns: !config.dns.is_empty(),
        acme: config.acme.is_some() && !tls.is_empty(),
        listening: listening(config, edge, names),
    }
}

/// Where the server listens for the world.
pub(super) fn listening(config: &Config, edge: &Edge, names: Option<&Server>) -> Listening {
    let (plain, tls) = addresses(config, edge);
    let dns = names.map_or(&[][..], Server::addresses);
    // What was asked for says more than each of the machine's addresses, if it says a port.
    let asked = config.dns.iter().all(|at| at.port() != 0);
    Listening {
        http: plain.to_vec(),
        https: tls.to_vec(),
        dns: if asked { config.dns.clone() } else { dns.to_vec() },
    }
}

/// The edge's secret: 32 random bytes, made once, so that cookies outlive the daemon.
fn key(folders: &Folders) -> io::Result<EdgeKey> {
    let path = folders.keys().join("edge.key");
    if !path.exists() {
        write_secret(&path, &rand::random::<[u8; 32]>())?;
    }
    let bytes = std::fs::read(&path)?;
    let bytes = bytes.try_into().map_err(|_| io::Error::other("edge.key is not 32 bytes long"))?;
    Ok(EdgeKey::new(bytes))
}
