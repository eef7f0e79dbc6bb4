//! The life of a daemon on a machine that has joined: an edge that the control leads.
//!
//! It has no records and no API, and its engine does what the control says. What it was told last it serves,
//! also while nobody tells it anything; instances of other machines are reached through the link.

use std::{net::SocketAddr, sync::Arc};

use proxy::Feeds;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    access, edge,
    error::RunError,
    folders::Folders,
    joined::Joined,
    notify::{self, Turn},
    plane::PlaneError,
    reissue::Reissue,
    run::{TASKS_END, end_tasks, wind_edge_down},
    signals::{Asked, Signals},
    status,
    tasks::Tasks,
    upgrade::Start,
};
use crate::{
    build::workshop::LAUNCHER,
    config::Config,
    control::{
        firewall::{Firewall, Wanted},
        task,
    },
    engine::docker::Docker,
    model::NodeName,
    node::{
        Follower, Found, Gateway, Here, Machine, Worker,
        link::{Admitted, Credentials, Keys, Link, LinkState, Listener},
    },
    store::DataDirLock,
};

/// Runs the daemon of a machine that has joined until it is told to end.
pub(super) async fn run(config: &Config, joined: Joined, start: &Start) -> Result<(), RunError> {
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    let folders = Folders::of(&config.data);
    let _lock = DataDirLock::take(&config.data)?;
    let (table, tables) = watch::channel(Arc::default());
    let (certificates, presented) = watch::channel(Arc::default());
    let mut led = tables.clone();
    let (access_log, records) = access::begin(config);
    let feeds = Feeds { table: tables, certificates: presented };
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, Vec::new(), None)?);
    let at = joined.identity.listen;
    let listener = Listener::bind(at).await.map_err(|source| RunError::Link { at, source })?;
    let (show, credentials) = watch::channel(Arc::new(joined.shown()?));
    let (name, control) = (joined.identity.name.clone(), joined.identity.control.clone());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data = %folders.root().display(), node = %name,
        control = %control.name, "paas server");

    let (mut tasks, mut followers) = (Tasks::new(), Tasks::new());
    followers.spawn("access log", access::write_all(records, config.access_log, &folders));
    let addresses = control.addresses.clone();
    let link = call(&mut tasks, control.name.clone(), addresses, credentials.clone());
    let (worker, hands) = work(config, &folders)?;
    let gateway = Gateway::new(link.clone(), hands.here, followers.stop());
    let found = Found {
        given: config.addresses.clone(),
        link: joined.identity.seen.then_some(at),
        control: control.addresses,
    };
    let follower = Follower::new((link.clone(), gateway), (&edge, found), table, certificates);
    tasks.spawn("edge", follower.follow(tasks.stop()));
    tasks.spawn("certificate", Reissue { folders, joined, link, show }.keep(tasks.stop()));
    let admitted = Admitted([(control.name, Keys::Any)].into());
    let (_admit, admitted) = watch::channel(Arc::new(admitted));
    tasks.spawn("link", listener.serve(credentials, admitted, Arc::new(worker), tasks.stop()));
    let listening = edge::listening(config, &edge, None);
    tasks.spawn("firewall", wall(hands.docker, status::firewall(config, listening), tasks.stop()));

    // Before there is a table every host would be unknown, so visitors wait at the door.
    let asked = tokio::select! {
        biased;
        signal = signals.ended() => Some(signal),
        _ = led.changed() => None,
    };
    if asked.is_none() {
        edge.open();
        notify::tell(start.notify.as_deref(), Turn::Serves);
    }
    let signal = match asked {
        Some(signal) => signal,
        None => ended(&mut signals).await,
    };
    tracing::info!(signal, "ending");
    notify::tell(start.notify.as_deref(), Turn::Ends);
    drop(access_log);
    end_tasks(tasks, TASKS_END).await;
    wind_edge_down(edge, followers).await;
    tracing::info!("ended");
    Ok(())
}

/// What this machine's Docker, once it is known for whom it works, is to others.
struct Hands {
    docker: watch::Receiver<Option<Docker>>,
    here: watch::Receiver<Here>,
}

/// The work that the control has this machine do.
fn work(config: &Config, folders: &Folders) -> Result<(Worker, Hands), RunError> {
    let subnets = config.subnets.parse().map_err(PlaneError::Subnets)?;
    let socket = config.docker.display().to_string();
    let (found, docker) = watch::channel(None);
    let (told, here) = watch::channel(Here::default());
    let (data, program) = (folders.root().to_owned(), LAUNCHER);
    let machine = Machine { socket, subnets, data, program };
    let worker = Worker::new(machine, found, told);
    Ok((worker, Hands { docker, here }))
}

/// Keeps containers from this machine, once there may be some.
async fn wall(
    mut docker: watch::Receiver<Option<Docker>>,
    wanted: Wanted,
    stop: CancellationToken,
) {
    let found = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        found = docker.wait_for(Option::is_some) => found.ok().and_then(|found| found.clone()),
    };
    let (status, _) = watch::channel(String::new());
    if let Some(docker) = found {
        task::run(Firewall::new(docker, wanted, status), stop).await;
    }
}

/// Waits for a signal that ends the daemon.
async fn ended(signals: &mut Signals) -> &'static str {
    loop {
        match signals.received().await {
            Asked::End(signal) => return signal,
            Asked::Upgrade => {
                tracing::warn!(
                    "a node does not hand over to a successor: end it and start it anew"
                );
            }
        }
    }
}

/// The link to the control, which is called at each of its addresses until one answers.
fn call(
    tasks: &mut Tasks,
    control: NodeName,
    addresses: Vec<SocketAddr>,
    credentials: Credentials,
) -> Link {
    let first = addresses.first().copied().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let (at, address) = watch::channel(first);
    let (link, keeper) = Link::new(control, address, credentials);
    tasks.spawn("call", keeper.run(tasks.stop()));
    tasks.spawn("addresses", turn(link.clone(), addresses, at, tasks.stop()));
    link
}

/// Turns to the next address whenever the present one does not answer.
async fn turn(
    link: Link,
    addresses: Vec<SocketAddr>,
    at: watch::Sender<SocketAddr>,
    stop: CancellationToken,
) {
    let mut state = link.state();
    let mut turns = addresses.iter().cycle().skip(1);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = state.changed() => if changed.is_err() { return },
        }
        let down = matches!(*state.borrow_and_update(), LinkState::Down { .. });
        if let Some(next) = turns.next().filter(|_| down) {
            at.send_if_modified(|before| std::mem::replace(before, *next) != *next);
        }
    }
}
