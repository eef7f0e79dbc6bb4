//! The life of a daemon on a machine that has joined: an edge that another daemon leads.
//!
//! It has no records, no API and no engine. What it is told it serves, also while nobody tells it
//! anything; instances are reached through the link.

use std::{sync::Arc, time::Duration};

use proxy::{Edge, Feeds};
use tokio::sync::watch;

use super::{
    access, edge,
    error::RunError,
    folders::Folders,
    joined::Joined,
    notify::{self, Turn},
    reissue::Reissue,
    signals::{Asked, Signals},
    tasks::Tasks,
    upgrade::Start,
};
use crate::{
    config::Config,
    node::{
        Follower, Gateway,
        link::{Admitted, Identity, Keys, Link, Listener},
    },
    store::DataDirLock,
};

/// Runs the daemon of a machine that has joined, until it is told to end.
pub(super) async fn run(
    config: &Config,
    joined: Joined,
    start: &Start,
    signals: &mut Signals,
) -> Result<(), RunError> {
    let folders = Folders::of(&config.data);
    let _lock = DataDirLock::take(&config.data)?;
    let (table, tables) = watch::channel(Arc::default());
    let (certificates, presented) = watch::channel(Arc::default());
    let mut led = tables.clone();
    let (access_log, records) = access::begin(config);
    let feeds = Feeds { table: tables, certificates: presented };
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, Vec::new(), None)?);
    let (mut tasks, mut followers) = (Tasks::new(), Tasks::new());
    followers.spawn("access log", access::write_all(records, config.access_log, &folders));

    let (show, credentials) = watch::channel(Arc::new(joined.identity()?));
    let (addresses, control) = watch::channel(joined.control.address);
    let link = Link::new(joined.control.name.clone(), control, credentials.clone(), tasks.stop());
    let gateway = Gateway::new(link.clone(), followers.stop());
    let follower = Follower::new((link.clone(), gateway), &edge, table, certificates);
    tasks.spawn("edge", follower.follow(tasks.stop()));
    tasks.spawn("certificate", Reissue { joined, link, show }.keep(tasks.stop()));
    tracing::info!(node = %name, control = %control, "a node");

    // Whoever comes before there is a table would be told that the host is unknown.
    tokio::select! {
        biased;
        asked = signals.ended() => return Ok(end(asked, ..).await),
        _ = led.changed() => {}
    }
    edge.open();
    notify::tell(start.notify.as_deref(), Turn::Serves);
    Ok(())
}
