//! The life of a daemon that controls: alone, or as the leader of those that keep the records.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use proxy::{AccessLog, Certificates, Edge, Feeds, Table};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    build::fetched::Fetcher,
    clock,
    config::{self, Config},
    control::{
        certificates::{Outlets, on_record},
        routes::{Ground, Routes, is_settled},
    },
    daemon::{
        access, certificates,
        cluster::{self, Told},
        council::{self, Chair},
        dns,
        doors::Doors,
        edge,
        error::RunError,
        folders::Folders,
        holdings::{Holdings, Records},
        init::token_key,
        names::Names,
        notify::{self, Turn},
        plane::{Plane, PlaneEdge, Published, handout},
        run::{Ending, Process, Turned},
        signals::Asked,
        tasks::Tasks,
        upgrade::{self, Beside, Legacy, Predecessor, Start, Successor},
    },
    dns::Server,
    engine::docker::Docker,
    git::Repositories,
    metrics::Figures,
    model::zone::Proofs,
    node::{Consoles, Edges, Handout, Nodes},
    server::{Api, Attempts, Cluster, Intake, Retention, Sessions},
    store::{SealingKey, Store},
    telemetry::chain,
};

/// Lives in this term.
pub(super) async fn life(
    holdings: Holdings,
    term: u64,
    process: &mut Process<'_>,
    former: Option<Box<Legacy>>,
) -> Result<Turned, RunError> {
    let serving = begin(&holdings, term, process, former).await?;
    let Serving { tasks, followers, edge, beside, table, access_log } = serving;
    let left = leave(process, table, holdings.deposed(term)).await;
    drop(access_log);
    match left {
        Left::Ends => {
            let _names = beside.without_copies();
            Ok(Turned::Ends(wind_down(tasks, edge, followers, holdings).await))
        }
        Left::Deposed => step_down(tasks, (edge, beside), holdings).await,
        Left::For(successor) => {
            end_tasks(tasks, TASKS_YIELD).await;
            holdings.close().await;
            let left = hand_over(successor, (edge, beside), followers, process).await?;
            Ok(Turned::Ends(left))
        }
    }
}

/// What has begun.
struct Serving {
    tasks: Tasks,
    /// Those that end when the edge has.
    followers: Tasks,
    edge: Arc<Edge>,
    beside: Beside,
    table: watch::Receiver<Arc<Table>>,
    access_log: AccessLog,
}

/// Binds, and begins everything.
async fn begin(
    holdings: &Holdings,
    term: u64,
    process: &mut Process<'_>,
    former: Option<Box<Legacy>>,
) -> Result<Serving, RunError> {
    let (predecessor, (inherited, mut sockets, tickets)) = upgrade::parts(former);
    let Some(Records { store, logs, .. }) = holdings.records.clone() else {
        return Err(RunError::NoRecords);
    };
    let (config, folders, past) = (&holdings.config, &holdings.folders, &process.past);
    let sealing = certificates::sealing_key(config, folders, &store).await?;
    let Known { presented, table, ground, feeds } = known(config, folders, (&store, &sealing))?;
    let (access_log, records) = access::begin(config);
    let (texts, proofs) = watch::channel(Arc::<Proofs>::default());
    let doors = Doors::bind(config, folders, (&store, &sealing), &mut sockets).await?;
    let dns = dns::begin(config, sockets)?;
    upgrade::opened(predecessor.as_ref());
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, inherited, tickets)?);
    let edges = Edges::of(&edge, &config.addresses, dns.answered.clone());
    let (names, zoning) = dns.zoning(config, (&store, &edges), proofs);
    let reach = edge::reach(config, (&edge, &edges), names.as_ref());
    announce(config, folders, &edge, names.as_ref(), &doors);
    let (cluster, link) = cluster::bind(config, folders, (&doors, &edges)).await?;

    let (published, seen) = Published::new(config, folders)?;
    let (lookups, requests) = mpsc::channel(LOOKUPS);
    // The followers end when the edge has, since their records come from there.
    let (mut tasks, mut followers) = (Tasks::new(), Tasks::new());
    let (council, for_nodes, hearing) = council::open(term);
    let (told, nodes) = Told::of(&store, (&edges, &feeds), (&seen, &zoning.names), for_nodes);
    let engines = cluster::tend(link, told, &mut tasks, followers.stop())?;
    let chair = chair(holdings, (cluster.clone(), engines.clone()));
    tasks.spawn("council", council::hear(chair, hearing, tasks.stop()));
    let (consoles, docker, sessions) = sessions(&mut tasks, (&engines, handout(folders)?));
    let served = Api {
        store: store.clone(),
        observation: seen.observation,
        volumes: seen.usages,
        backups: seen.backups,
        logs: logs.clone(),
        figures: Figures::of(&edges),
        token_key: token_key(folders)
            .map_err(|source| RunError::Folder { path: folders.keys(), source })?,
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
    followers.spawn("access log", access::write_all(records, config.access_log, folders));
    let outlets = Outlets { certificates: presented, texts };
    let control = PlaneEdge::of((table, feeds.certificates.clone()), ground, &reach);
    let plane = Plane::new(config, folders, (&store, &sealing), (&logs, past), control, published)?;
    Names { config, store: &store, edge: &edge, edges, reach, sealing, outlets, requests, zoning }
        .tend(&mut tasks)?;
    tasks.spawn("control", plane.run((docker, consoles), engines, tasks.stop()));
    let beside = Beside::of(&doors, names)?;
    upgrade::bound(predecessor.as_ref());

    // From here on nothing fails: whoever is accepted now is not lost.
    edge.open();
    doors.open(&mut tasks, served);
    relieve(predecessor, process.formers);
    notify::tell(process.start.notify.as_deref(), Turn::Serves);

    Ok(Serving { tasks, followers, edge, beside, table: feeds.table, access_log })
}

/// Why a life ends.
enum Left {
    /// Somebody told the daemon to end.
    Ends,
    /// Another may lead.
    Deposed,
    /// Its successor can run.
    For(Successor),
}

/// Whoever answers wishes about who keeps the records.
fn chair(holdings: &Holdings, (cluster, nodes): (Option<Cluster>, Nodes)) -> Option<Chair> {
    let records = holdings.records.as_ref()?;
    Some(Chair {
        cluster: cluster?,
        listen: holdings.config.cluster?.listen,
        folders: holdings.folders.clone(),
        store: records.store.clone(),
        nodes,
        settings: config::shared(&holdings.given),
        sealing: holdings.config.sealing_key.clone(),
        bench: records.bench.clone(),
    })
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

/// Waits until the daemon is to end, until a successor can run, or until this machine leads no more.
async fn leave(
    process: &mut Process<'_>,
    mut table: watch::Receiver<Arc<Table>>,
    deposed: impl Future<Output = ()>,
) -> Left {
    let Process { start, signals, .. } = process;
    let mut deposed = pin!(deposed);
    loop {
        let asked = tokio::select! {
            biased;
            asked = signals.received() => asked,
            () = &mut deposed => {
                tracing::warn!("this machine leads no more");
                return Left::Deposed;
            }
        };
        match asked {
            Asked::End(signal) => {
                tracing::info!(signal, "ending");
                notify::tell(start.notify.as_deref(), Turn::Ends);
                return Left::Ends;
            }
            Asked::Upgrade => match succeeded(start).await {
                Ok(successor) => {
                    // The last table is the one that the edge drains by. A daemon that has just
                    // started has not looked at the instances yet, and visitors wait for that.
                    let _ = timeout(SETTLES, table.wait_for(|table| is_settled(table))).await;
                    return Left::For(successor);
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

/// Leaves the machine to its next life. What was under way is cut soon: another may be doing it.
async fn step_down(
    tasks: Tasks,
    (edge, beside): (Arc<Edge>, Beside),
    holdings: Holdings,
) -> Result<Turned, RunError> {
    end_tasks(tasks, TASKS_TURN).await;
    let Some(edge) = sole(edge).await else {
        holdings.close().await;
        return Ok(Turned::Ends(Ending::Over));
    };
    let next = upgrade::ourselves(edge, beside.sockets, None)?;
    Ok(Turned::Turns(Box::new(holdings), next))
}

async fn succeeded(start: &Start) -> Result<Successor, upgrade::UpgradeError> {
    notify::tell(start.notify.as_deref(), Turn::HandsOver);
    Successor::start(start).await
}

/// Lets the successor serve and leaves, or stays if it does not.
async fn hand_over(
    successor: Successor,
    (edge, beside): (Arc<Edge>, Beside),
    followers: Tasks,
    Process { signals, formers, .. }: &mut Process<'_>,
) -> Result<Ending, RunError> {
    let Some(edge) = sole(edge).await else { return Ok(Ending::Over) };
    if let Err(error) = successor.install(&edge, &beside.sockets).await {
        tracing::error!(error = %chain(&error), "the successor failed; this daemon begins again");
        return Ok(Ending::Again(upgrade::ourselves(edge, beside.sockets, None)?));
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
    Ok(Ending::Over)
}

/// The edge, once nobody else has it: the tasks that had it have ended, and what they had begun
/// ends at its next wait.
pub(super) async fn sole(mut edge: Arc<Edge>) -> Option<Edge> {
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
async fn wind_down(tasks: Tasks, edge: Arc<Edge>, followers: Tasks, holdings: Holdings) -> Ending {
    end_tasks(tasks, TASKS_END).await;
    wind_edge_down(edge, followers).await;
    holdings.close().await;
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
/// The same when this process itself goes on as something else: whoever is elected has been waited for long enough, and
/// of who is not another may be doing the same by now.
pub(super) const TASKS_TURN: Duration = Duration::from_millis(500);
/// How often, and how far apart, it is looked whether the edge has been let go.
const LETS_GO: u32 = 100;
const LETS_GO_STEP: Duration = Duration::from_millis(20);
/// For the last lines of the access log.
const FOLLOWERS_END: Duration = Duration::from_secs(1);
/// For requests under way when the daemon ends.
pub(super) const EDGE_DRAINS: Duration = Duration::from_secs(20);
