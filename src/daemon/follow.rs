//! The life of a daemon on a machine that has joined: an edge that is led, by whichever machine leads.
//!
//! It has no records and no API, and its engine does what whoever leads says. What it was told last it serves,
//! also while nobody tells it anything, and after it began anew; instances of other machines are reached
//! through links, by visitors and by the containers of their app: straight, or by way of the control.

use std::{collections::BTreeSet, sync::Arc};

use proxy::{Edge, Feeds, Table};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    access, edge,
    error::RunError,
    folders::Folders,
    joined::{Control, Joined},
    memory,
    notify::{self, Turn},
    plane::PlaneError,
    private::Private,
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
        names::FollowedNames,
        task,
    },
    dns::system_resolvers,
    engine::docker::{Docker, Subnet},
    model::{Directory, NodeName, Roster},
    node::{
        Follower, Found, Gatekeeper, Gateway, Here, Leading, Machine, Notes, Outlets, Passage,
        Peers, Programs, Reach, Seek, Straight, Ways, Worker,
        link::{Admitted, Credentials, Link, Listener},
        peers,
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
    let led = tables.clone();
    let (access_log, records) = access::begin(config);
    let feeds = Feeds { table: tables, certificates: presented };
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, Vec::new(), None)?);
    let at = joined.identity.listen;
    let listener = Listener::bind(at).await.map_err(|source| RunError::Link { at, source })?;
    let (show, credentials) = watch::channel(Arc::new(joined.shown()?));
    let name = joined.identity.name.clone();
    let Control { name: control, addresses } = joined.identity.control.clone();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data = %folders.root().display(), node = %name,
        %control, "paas server");

    let (mut tasks, mut followers) = (Tasks::new(), Tasks::new());
    followers.spawn("access log", access::write_all(records, config.access_log, &folders));
    let (notes, memory) = memory::begin(&folders)?;
    tasks.spawn("memory", memory.keep(tasks.stop()));
    let (enrol, roster) = watch::channel(notes.roster());
    let leading = Leading::new(name.clone(), control.clone(), roster.clone(), notes.clone());
    let leads = (leading.clone(), roster.clone());
    let seek = Seek::new((control, &addresses), leads, credentials.clone());
    let (link, leader) = (seek.link(), (seek.link(), leading.clone()));
    tasks.spawn("call", seek.keep(tasks.stop()));
    let (worker, hands) = work(config, &folders, &mut tasks, notes.clone())?;
    let (directory, directed) = watch::channel(Arc::default());
    let (own, told) = ((name, credentials.clone()), (roster, directed.clone()));
    let (elsewhere, admitted) = meet(&mut tasks, own, leader.clone(), told);
    let gateway = Gateway::new(elsewhere.clone(), hands.here.clone(), followers.stop());
    let found = Found {
        given: config.addresses.clone(),
        link: joined.identity.seen.then_some(at),
        control: addresses,
    };
    let (ways, led_by) = watch::channel(Arc::default());
    let private = private(config, (elsewhere, &hands), (directed, ways), tasks.stop())?;
    let known = gateway.known();
    let gatekeeper = Gatekeeper { leading, worker, known, ways: led_by.clone() };
    let outlets = Outlets { table, certificates, directory, roster: enrol };
    let follower = Follower::new(leader, gateway, (&edge, found), (outlets, notes));
    tasks.spawn("private names", private);
    tasks.spawn("edge", follower.follow(tasks.stop()));
    tasks.spawn("certificate", Reissue { folders, joined, link, show }.keep(tasks.stop()));
    tasks.spawn("link", listener.serve(credentials, admitted, Arc::new(gatekeeper), tasks.stop()));
    let listening = edge::listening(config, &edge, None);
    let wanted = status::firewall(config, listening);
    tasks.spawn("firewall", wall(hands.docker, (wanted, led_by), tasks.stop()));

    let signal = serve(&edge, led, &mut signals, start).await;
    tracing::info!(signal, "ending");
    notify::tell(start.notify.as_deref(), Turn::Ends);
    drop(access_log);
    end_tasks(tasks, TASKS_END).await;
    wind_edge_down(edge, followers).await;
    tracing::info!("ended");
    Ok(())
}

/// Opens the edge once it is led, and waits for a signal that ends the daemon.
async fn serve(
    edge: &Edge,
    mut led: watch::Receiver<Arc<Table>>,
    signals: &mut Signals,
    start: &Start,
) -> &'static str {
    // Before there is a table every host would be unknown, so visitors wait at the door.
    tokio::select! {
        biased;
        signal = signals.ended() => return signal,
        _ = led.changed() => {}
    }
    edge.open();
    notify::tell(start.notify.as_deref(), Turn::Serves);
    ended(signals).await
}

/// The way to other machines, and which of them are reached.
type Elsewhere = (Passage, watch::Receiver<Reach>);

/// Keeps links to all nodes that are told of, beside the link to whoever leads: the way that is thus there, and
/// who may come in.
fn meet(
    tasks: &mut Tasks,
    own: (NodeName, Credentials),
    (control, leading): (Link, Leading),
    (roster, directory): (watch::Receiver<Arc<Roster>>, watch::Receiver<Arc<Directory>>),
) -> (Elsewhere, watch::Receiver<Arc<Admitted>>) {
    let nobody_else = peers::admitted(leading.candidates(), &Roster::default());
    let (admit, admitted) = watch::channel(Arc::new(nobody_else));
    let (links, peers) = watch::channel(Arc::default());
    let (reaches, reach) = watch::channel(Reach::Nodes(BTreeSet::new()));
    let told = peers::Told { admitted: admit, links, reach: reaches };
    let keeper = Peers::new(own, (control.clone(), leading), roster, told);
    tasks.spawn("peers", keeper.keep(tasks.stop()));
    let passage = Passage::of_node(control, Straight { directory, peers });
    ((passage, reach), admitted)
}

/// What this machine's Docker, once it is known for whom it works, is to others.
struct Hands {
    docker: watch::Receiver<Option<Docker>>,
    here: watch::Receiver<Here>,
}

/// The work that the control has this machine do.
fn work(
    config: &Config,
    folders: &Folders,
    tasks: &mut Tasks,
    notes: Notes,
) -> Result<(Arc<Worker>, Hands), RunError> {
    let subnets = config.subnets.parse().map_err(PlaneError::Subnets)?;
    let socket = config.docker.display().to_string();
    let (found, docker) = watch::channel(None);
    let (told, here) = watch::channel(Here::default());
    let (data, program) = (folders.root().to_owned(), LAUNCHER);
    let resolvers = system_resolvers();
    let machine = Machine { socket, subnets, resolvers, data, program };
    let programs = Programs::default();
    tasks.spawn("programs", programs.clone().tend(tasks.stop()));
    let worker = Arc::new(Worker::new(machine, (found, told), programs, notes));
    tasks.spawn("engine", worker.clone().look_around(tasks.stop()));
    Ok((worker, Hands { docker, here }))
}

/// Keeps containers from this machine, once there may be some.
async fn wall(
    docker: watch::Receiver<Option<Docker>>,
    (wanted, ways): (Wanted, watch::Receiver<Arc<Ways>>),
    stop: CancellationToken,
) {
    let (status, _) = watch::channel(String::new());
    if let Some(docker) = found(docker, &stop).await {
        task::run(Firewall::new(docker, wanted, ways, status), stop).await;
    }
}

/// Answers containers that ask for private names, and carries what they send, once there may be some.
fn private(
    config: &Config,
    ((passage, reach), hands): (Elsewhere, &Hands),
    (directory, ways): (watch::Receiver<Arc<Directory>>, watch::Sender<Arc<Ways>>),
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + use<>, RunError> {
    let subnets: Subnet = config.subnets.parse().map_err(PlaneError::Subnets)?;
    let (here, found) = (hands.here.clone(), hands.docker.clone());
    Ok(async move {
        let Some(docker) = self::found(found, &stop).await else { return };
        let private = Private { docker, clients: subnets.parts(), ways, passage: Some(passage) };
        let keeper = |desk| FollowedNames { directory, here, reach, desk };
        private.run(keeper, stop).await;
    })
}

/// This machine's Docker, once it is known for whom it works; `None` if the daemon is stopped before.
async fn found(
    mut docker: watch::Receiver<Option<Docker>>,
    stop: &CancellationToken,
) -> Option<Docker> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        found = docker.wait_for(Option::is_some) => found.ok().and_then(|found| found.clone()),
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
