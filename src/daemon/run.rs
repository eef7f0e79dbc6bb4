//! A daemon's life, from its configuration to its end.

use std::{net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use proxy::{Certificates, Edge, Feeds, Table, handover::Inheritance};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    build::fetched::Fetcher,
    clock,
    config::Config,
    control::{
        certificates::{Outlets, on_record},
        routes::{Ground, Routes, is_settled},
    },
    daemon::{
        access, certificates,
        cluster::{self, Told},
        dns,
        doors::Doors,
        edge,
        error::RunError,
        folders::Folders,
        follow,
        init::token_key,
        joined::Joined,
        names::Names,
        notify::{self, Turn},
        plane::{Plane, PlaneEdge, Published, handout},
        signals::{Asked, Signals},
        tasks::Tasks,
        upgrade::{self, Beside, From, Predecessor, Start, Successor},
    },
    dns::Server,
    engine::docker::Docker,
    git::Repositories,
    logs::{LogSettings, Logs},
    metrics::Figures,
    model::zone::Proofs,
    node::{Consoles, Edges, Handout, Nodes},
    server::{Api, Attempts, Council, Intake, Retention, Sessions},
    store::{self, DataDirLock, SealingKey, Store, StoreOptions},
    telemetry::chain,
};

/// Runs the daemon until it is told to end, or until a successor serves in its place.
pub async fn run(config: Config, start: Start) -> Result<(), RunError> {
    if let Some(joined) = Joined::read(&Folders::of(&config.data))? {
        return follow::run(&config, joined, &start).await;
    }
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    let mut former = match start.from {
        From::Scratch => None,
        From::Predecessor => Some(upgrade::meet().await?),
    };
    // They belong to no life: the next attempt at an upgrade must not cut what they still answer.
    let mut formers = Tasks::new();
    loop {
        match life(&config, &start, &mut signals, &mut formers, former.take()).await? {
            Ending::Over => break,
            Ending::Again(edge, beside) => former = Some(upgrade::ourselves(edge, beside)?),
        }
    }
    formers.stop_all(EDGE_DRAINS).await;
    Ok(())
}

/// How a life ended.
enum Ending {
    /// Nothing is left to do.
    Over,
    /// The successor failed, and the edge still serves; whoever comes to the sockets beside it waits.
    Again(Edge, Vec<OwnedFd>),
}

/// From the store's opening to its closing.
async fn life(
    config: &Config,
    start: &Start,
    signals: &mut Signals,
    formers: &mut Tasks,
    former: Option<(Predecessor, Inheritance)>,
) -> Result<Ending, RunError> {
    let (predecessor, (inherited, mut beside, tickets)) = upgrade::parts(former);
    let (folders, lock, store, logs) = open(config)?;
    let keys = |source| RunError::Folder { path: folders.keys(), source };
    let sealing = certificates::sealing_key(config, &folders, &store).await?;
    let Known { presented, table, ground, feeds } = known(config, &folders, (&store, &sealing))?;
    let (access_log, records) = access::begin(config);
    let (texts, proofs) = watch::channel(Arc::<Proofs>::default());
    let doors = Doors::bind(config, &folders, (&store, &sealing), &mut beside).await?;
    let (names, zones) = dns::begin(config, beside)?.unzip();
    upgrade::opened(predecessor.as_ref());
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, inherited, tickets)?);
    let edges = Edges::of(&edge, &config.addresses);
    let reach = edge::reach(config, (&edge, &edges), names.as_ref());
    let naming = zones.map(|zones| dns::naming(config, &store, &edges, proofs, zones));
    announce(config, &folders, &edge, names.as_ref(), &doors);
    let (cluster, link) = cluster::bind(config, &folders, (&doors, &edges)).await?;

    let (published, seen) = Published::new(config, &folders)?;
    let (lookups, requests) = mpsc::channel(LOOKUPS);
    // The followers end when the edge has, since their records come from there.
    let (mut tasks, mut followers) = (Tasks::new(), Tasks::new());
    // This machine keeps the records alone.
    let alone = (0, watch::channel(Arc::default()).1);
    let (told, nodes) = Told::of(&store, (&edges, &feeds), &seen, alone);
    let engines = cluster::tend(link, told, &mut tasks, followers.stop())?;
    let (consoles, docker, sessions) = sessions(&mut tasks, (&engines, handout(&folders)?));
    let (council, _wishes, _members) = Council::new();
    let served = Api {
        store: store.clone(),
        observation: seen.observation,
        volumes: seen.usages,
        backups: seen.backups,
        logs: logs.clone(),
        figures: Figures::of(&edges),
        token_key: token_key(&folders).map_err(keys)?,
        attempts: Attempts::default(),
        data: config.data.clone(),
        reach: reach.clone(),
        node: config.node.clone(),
        nodes,
        cluster,
        council,
        engine: seen.status,
        intake: Intake::new(config.builds.reserve),
        fetcher: Fetcher::new(&config.data, config.fetch_private.clone()),
        git: Repositories::open(&config.data),
        ssh: doors.ssh(),
        sealing: sealing.clone(),
        ending: tasks.stop(),
        retention: retention(config),
        sessions,
        lookups,
    };
    followers.spawn("access log", access::write_all(records, config.access_log, &folders));
    let outlets = Outlets { certificates: presented, texts };
    let control = PlaneEdge::of((table, feeds.certificates.clone()), ground, &reach);
    let plane = Plane::new(config, &folders, (&store, &sealing), &logs, control, published)?;
    Names { config, store: &store, edge: &edge, edges, reach, sealing, outlets, requests, naming }
        .tend(&mut tasks)?;
    tasks.spawn("control", plane.run((docker, consoles), engines, tasks.stop()));
    let beside = Beside::of(&doors, names)?;
    upgrade::bound(predecessor.as_ref());

    // From here on nothing fails: whoever is accepted now is not lost.
    edge.open();
    doors.open(&mut tasks, served);
    relieve(predecessor, formers);
    notify::tell(start.notify.as_deref(), Turn::Serves);

    let successor = successor(signals, start, feeds.table).await;
    drop(access_log);
    let Some(successor) = successor else {
        let _names = beside.without_copies();
        return Ok(wind_down(tasks, edge, followers, store).await);
    };
    let_go(tasks, store, lock).await;
    Ok(hand_over(successor, (edge, beside), followers, signals, formers).await)
}

/// What the edge begins with, before anything has been looked at.
struct Known {
    presented: watch::Sender<Arc<Certificates>>,
    table: watch::Sender<Arc<Table>>,
    ground: Ground,
    feeds: Feeds,
}

fn known(
    config: &Config,
    folders: &Folders,
    (store, sealing): (&Store, &SealingKey),
) -> Result<Known, RunError> {
    let certificates = on_record(&store.snapshot(), sealing, clock::now())?;
    let (presented, certificates) = watch::channel(Arc::new(certificates));
    let ground = edge::ground(config, folders, (&certificates.borrow(), sealing))
        .map_err(|source| RunError::Folder { path: folders.keys(), source })?;
    let routes = Routes::on_record(&store.snapshot(), &ground)?;
    let (table, routes) = watch::channel(Arc::new(routes.into_table(0)));
    Ok(Known { presented, table, ground, feeds: Feeds { table: routes, certificates } })
}

/// The predecessor is not needed any more; what is left of it is drained.
fn relieve(predecessor: Option<Predecessor>, formers: &mut Tasks) {
    if let Some(former) = predecessor.and_then(Predecessor::relieve) {
        formers.spawn("former edge", upgrade::drain(former));
    }
}

/// Programs that users talk to, here once whoever is told of Docker has found it, and on nodes.
fn sessions(
    tasks: &mut Tasks,
    (nodes, handout): (&Nodes, Handout),
) -> (Consoles, watch::Sender<Option<Docker>>, Sessions) {
    let (found, engine) = watch::channel(None);
    let consoles = Consoles::new(engine, nodes.clone(), handout);
    let sessions = Sessions::new(consoles.clone());
    tasks.spawn("sessions", sessions.clone().tend(tasks.stop()));
    (consoles, found, sessions)
}

/// Leaves what is remembered to a successor.
async fn let_go(tasks: Tasks, store: Store, lock: DataDirLock) {
    end_tasks(tasks, TASKS_YIELD).await;
    store.close().await;
    drop(lock);
}

/// What is remembered, and the lock that makes it ours.
fn open(config: &Config) -> Result<(Folders, DataDirLock, Store, Logs), RunError> {
    let folders = Folders::of(&config.data);
    folders.make().map_err(|source| RunError::Folder { path: config.data.clone(), source })?;
    let lock = DataDirLock::take(&config.data)?;
    let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
    let store = Store::open(&folders.store(), options)?;
    let logs = Logs::open(&folders.logs(), LogSettings::default())?;
    Ok((folders, lock, store, logs))
}

/// Waits until the daemon is to end (`None`), or until a successor can run.
async fn successor(
    signals: &mut Signals,
    start: &Start,
    mut table: watch::Receiver<Arc<Table>>,
) -> Option<Successor> {
    loop {
        match signals.received().await {
            Asked::End(signal) => {
                tracing::info!(signal, "ending");
                notify::tell(start.notify.as_deref(), Turn::Ends);
                return None;
            }
            Asked::Upgrade => match begin(start).await {
                Ok(successor) => {
                    // The last table is the one that the edge drains by. A daemon that has just
                    // started has not looked at the instances yet, and visitors wait for that.
                    let _ = timeout(SETTLES, table.wait_for(|table| is_settled(table))).await;
                    return Some(successor);
                }
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(%error, "no successor; this daemon goes on as it was");
                    notify::tell(start.notify.as_deref(), Turn::Serves);
                }
            },
        }
    }
}

async fn begin(start: &Start) -> Result<Successor, upgrade::UpgradeError> {
    notify::tell(start.notify.as_deref(), Turn::HandsOver);
    Successor::start(start).await
}

/// Lets the successor serve and leaves, or stays if it does not.
async fn hand_over(
    successor: Successor,
    (edge, beside): (Arc<Edge>, Beside),
    followers: Tasks,
    signals: &mut Signals,
    formers: &mut Tasks,
) -> Ending {
    let Some(edge) = sole(edge).await else { return Ending::Over };
    if let Err(error) = successor.install(&edge, &beside.sockets).await {
        tracing::error!(error = %chain(&error), "the successor failed; this daemon begins again");
        return Ending::Again(edge, beside.sockets);
    }
    drop(beside);
    tracing::info!("a successor serves; answering what is left");
    tokio::select! {
        biased;
        signal = signals.ended() => tracing::info!(signal, "ending at once"),
        () = async { tokio::join!(upgrade::drain(edge), formers.ended()); } => {}
    }
    followers.stop_all(FOLLOWERS_END).await;
    tracing::info!("ended");
    Ending::Over
}

/// The edge, once nobody else has it: the tasks that had it have ended, and what they had begun
/// ends at its next wait.
async fn sole(mut edge: Arc<Edge>) -> Option<Edge> {
    for _ in 0..LETS_GO {
        match Arc::try_unwrap(edge) {
            Ok(edge) => return Some(edge),
            Err(shared) => edge = shared,
        }
        sleep(LETS_GO_STEP).await;
    }
    tracing::error!("something still uses the edge; its connections are cut");
    None
}

pub(super) async fn end_tasks(tasks: Tasks, patience: Duration) {
    let cut = tasks.stop_all(patience).await;
    if !cut.is_empty() {
        tracing::warn!(?cut, "these tasks did not end in time and were cut");
    }
}

/// Listeners stop first, then passes end, then connections drain, then the store closes.
async fn wind_down(tasks: Tasks, edge: Arc<Edge>, followers: Tasks, store: Store) -> Ending {
    end_tasks(tasks, TASKS_END).await;
    wind_edge_down(edge, followers).await;
    store.close().await;
    tracing::info!("ended");
    Ending::Over
}

/// Connections drain, and then whoever follows what they do ends.
pub(super) async fn wind_edge_down(edge: Arc<Edge>, followers: Tasks) {
    if let Some(edge) = sole(edge).await {
        let cut = edge.shutdown(EDGE_DRAINS).await;
        if cut.connections_cut > 0 {
            tracing::warn!(?cut, "connections were still busy and were cut");
        }
    }
    followers.stop_all(FOLLOWERS_END).await;
}

fn retention(config: &Config) -> Retention {
    Retention { undelete_for: config.undelete_for, releases_kept: config.releases_kept }
}

fn announce(
    config: &Config,
    folders: &Folders,
    edge: &Edge,
    names: Option<&Server>,
    doors: &Doors,
) {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data = %folders.root().display(), "paas server");
    let (plain, tls) = edge::addresses(config, edge);
    let at = |scheme: &str, address: &SocketAddr| format!("{scheme}://{address}");
    let plain = plain.iter().map(|address| at("http", address));
    for at in plain.chain(tls.iter().map(|address| at("https", address))) {
        tracing::info!(%at, apps = %format!("<app>.{}", config.domain), "edge");
    }
    for at in names.map_or(&[][..], Server::addresses) {
        tracing::info!(%at, "dns");
    }
    doors.announce();
}

/// Names that wait to be looked up; one more is looked up in its turn, and nobody waits for it.
const LOOKUPS: usize = 64;
/// For the tasks to end their passes; a build is cancelled and begins anew with the next daemon.
pub(super) const TASKS_END: Duration = Duration::from_secs(15);
/// For the first look at the instances; an app that cannot start does not hold an upgrade up.
const SETTLES: Duration = Duration::from_secs(5);
/// The same as [`TASKS_END`] when a successor waits: until it has the store the API is silent. What is cut, it goes
/// on with, as after a crash.
const TASKS_YIELD: Duration = Duration::from_secs(3);
/// How often, and how far apart, it is looked whether the edge has been let go.
const LETS_GO: u32 = 100;
const LETS_GO_STEP: Duration = Duration::from_millis(20);
/// For the last lines of the access log.
const FOLLOWERS_END: Duration = Duration::from_secs(1);
/// For requests under way when the daemon ends.
const EDGE_DRAINS: Duration = Duration::from_secs(20);
