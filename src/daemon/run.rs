//! A daemon's life, from its configuration to its end.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use proxy::{Edge, Feeds, handover::Inheritance};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Semaphore, mpsc, watch},
    time::sleep,
};

use crate::{
    clock,
    config::{ApiAddress, Config},
    control::{
        certificates::{Outlets, on_record},
        routes::{Ground, Routes},
    },
    daemon::{
        access,
        authority::AuthorityError,
        certificates, dns, edge,
        folders::Folders,
        init::token_key,
        names::Names,
        plane::{self, Plane, PlaneEdge},
        renewal::Renewal,
        signals::{Asked, Signals},
        tasks::Tasks,
        upgrade::{self, From, Predecessor, Start, Successor, UpgradeError},
    },
    dns::Server,
    logs::{LogError, LogSettings, Logs},
    metrics::Figures,
    model::{Observation, zone::Proofs},
    server::{self, Api, Attempts, EngineStatus, Incoming},
    store::{
        self, DataDirLock, LockError, OpenError, SealingKeyError, Store, StoreError, StoreOptions,
    },
    telemetry::chain,
};

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another daemon runs on it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The records cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The records cannot be read.
    #[error(transparent)]
    Records(#[from] StoreError),
    /// The logs cannot be opened.
    #[error(transparent)]
    Logs(#[from] LogError),
    /// The API's keys.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An address is taken or not ours.
    #[error("the API cannot listen on {at}")]
    Listen {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The edge's addresses.
    #[error("the edge cannot be started")]
    Edge(#[from] proxy::BindError),
    /// The DNS server's addresses.
    #[error(transparent)]
    Dns(#[from] crate::dns::BindError),
    /// The world's DNS cannot be asked.
    #[error("the resolvers of this machine cannot be used")]
    Resolvers(#[from] crate::dns::LookupError),
    /// The key that secrets are sealed with.
    #[error(transparent)]
    Sealing(#[from] SealingKeyError),
    /// The predecessor.
    #[error("the running daemon does not hand over")]
    Upgrade(#[from] UpgradeError),
    /// Something that builds and apps need.
    #[error(transparent)]
    Plane(#[from] plane::PlaneError),
    /// The signals cannot be taken over.
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
}

impl RunError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locked(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Dns(error) => error.hint(),
            Self::Resolvers(_) => {
                Some("see /etc/resolv.conf, or name one with the setting `resolver`".to_owned())
            }
            Self::Listen { .. } | Self::Edge(_) => Some(
                "`ss -ltnp` shows who listens; choose another address with --http or --api"
                    .to_owned(),
            ),
            Self::Folder { path, .. } => {
                Some(format!("paas server needs root: sudo paas server --data {}", path.display()))
            }
            Self::Records(_)
            | Self::Logs(_)
            | Self::Authority(_)
            | Self::Plane(_)
            | Self::Sealing(_)
            | Self::Signals(_) => None,
            Self::Upgrade(_) => {
                Some("`--take-over` is for upgrades: systemctl reload paas".to_owned())
            }
        }
    }
}

/// Runs the daemon until it is told to end, or until a successor serves in its place.
pub async fn run(config: Config, start: Start) -> Result<(), RunError> {
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
            Ending::Again(edge) => former = Some(upgrade::ourselves(edge)?),
        }
    }
    formers.stop_all(EDGE_DRAINS).await;
    Ok(())
}

/// How a life ended.
enum Ending {
    /// Nothing is left to do.
    Over,
    /// The successor failed, and the edge still serves.
    Again(Edge),
}

/// From the store's opening to its closing.
async fn life(
    config: &Config,
    start: &Start,
    signals: &mut Signals,
    formers: &mut Tasks,
    former: Option<(Predecessor, Inheritance)>,
) -> Result<Ending, RunError> {
    let (predecessor, inheritance) = former.unzip();
    let folders = Folders::of(&config.data);
    folders.make().map_err(|source| RunError::Folder { path: config.data.clone(), source })?;
    let lock = DataDirLock::take(&config.data)?;
    let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
    let store = Store::open(&folders.store(), options)?;
    let logs = Logs::open(&folders.logs(), LogSettings::default())?;

    let keys = |source| RunError::Folder { path: folders.keys(), source };
    let sealing = certificates::sealing_key(config, &folders)?;
    let known = on_record(&store.snapshot(), &sealing)?;
    let (presented, shown) = watch::channel(Arc::new(known));
    let ground = edge::ground(config, &folders, &shown.borrow()).map_err(keys)?;
    let known = Routes::on_record(&store.snapshot(), &ground)?.into_table(0);
    let (table, table_reader) = watch::channel(Arc::new(known));
    let (access_log, records) = proxy::access_log();
    let access_log = access_log.sampled(config.access_log_sample);
    let feeds = Feeds { table: table_reader, certificates: shown.clone() };
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, inheritance)?);
    let reach = edge::reach(config, &edge);
    let (texts, proofs) = watch::channel(Arc::<Proofs>::default());
    let (names, naming) = dns::begin(config, &store, proofs)?.unzip();
    let incoming = bind_api(config, &folders).await?;
    announce(config, &folders, &edge, names.as_ref(), &incoming);

    let (observation, observed) = watch::channel(Arc::new(Observation::default()));
    let (engine_status, engine_seen) = watch::channel(EngineStatus::default());
    let (lookups, requests) = mpsc::channel(LOOKUPS);
    let api = Api {
        store: store.clone(),
        observation: observed,
        logs: logs.clone(),
        figures: Figures::of(&edge),
        token_key: token_key(&folders).map_err(keys)?,
        attempts: Attempts::default(),
        data: config.data.clone(),
        reach: reach.clone(),
        node: config.node.clone(),
        engine: engine_seen,
        unpacking: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
        sealing: sealing.clone(),
        lookups,
    };
    let mut tasks = Tasks::new();
    serve_api(&mut tasks, incoming, &server::router(api));
    // It ends when the edge has, since its records come from there.
    let mut followers = Tasks::new();
    let access = access::write_all(records, config.access_log, folders.access_log());
    followers.spawn("access log", access);
    let ground = Ground { https: reach.https, ..ground };
    let outlets = Outlets { certificates: presented, texts };
    Names { config, store: &store, edge: &edge, reach, sealing, outlets, requests, naming }
        .tend(&mut tasks)?;
    let control = PlaneEdge { edge: edge.clone(), table, certificates: shown, ground };
    let plane = Plane::new(config, &folders, &store, &logs, control, observation);
    tasks.spawn("control", plane?.run(engine_status, tasks.stop()));

    if let Some(former) = predecessor.map(Predecessor::relieve).transpose()?.flatten() {
        formers.spawn("former edge", upgrade::drain(former));
    }
    upgrade::announce(start.notify.as_deref());

    let successor = successor(signals, start).await;
    drop(access_log);
    let Some(successor) = successor else {
        wind_down(tasks, edge, followers, store).await;
        return Ok(Ending::Over);
    };
    end_tasks(tasks, TASKS_YIELD).await;
    drop(names);
    store.close().await;
    drop(lock);
    Ok(hand_over(successor, edge, followers, signals, formers).await)
}

fn serve_api(tasks: &mut Tasks, incoming: Vec<Bound>, router: &axum::Router) {
    for listener in incoming {
        if let Some(renewal) = listener.renewal {
            tasks.spawn("renewal", renewal.run(tasks.stop()));
        }
        tasks.spawn("api", server::serve(listener.incoming, router.clone(), tasks.stop()));
    }
}

/// Waits until the daemon is to end (`None`), or until a successor can run.
async fn successor(signals: &mut Signals, start: &Start) -> Option<Successor> {
    loop {
        match signals.received().await {
            Asked::End(signal) => {
                tracing::info!(signal, "ending");
                return None;
            }
            Asked::Upgrade => match Successor::start(start).await {
                Ok(successor) => return Some(successor),
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(%error, "no successor; this daemon goes on as it was");
                }
            },
        }
    }
}

/// Lets the successor serve and leaves, or stays if it does not.
async fn hand_over(
    successor: Successor,
    edge: Arc<Edge>,
    followers: Tasks,
    signals: &mut Signals,
    formers: &mut Tasks,
) -> Ending {
    let Some(edge) = sole(edge).await else { return Ending::Over };
    if let Err(error) = successor.install(&edge).await {
        tracing::error!(error = %chain(&error), "the successor failed; this daemon begins again");
        return Ending::Again(edge);
    }
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

async fn end_tasks(tasks: Tasks, patience: Duration) {
    let cut = tasks.stop_all(patience).await;
    if !cut.is_empty() {
        tracing::warn!(?cut, "these tasks did not end in time and were cut");
    }
}

/// Listeners stop first, then passes end, then connections drain, then the store closes.
async fn wind_down(tasks: Tasks, edge: Arc<Edge>, followers: Tasks, store: Store) {
    end_tasks(tasks, TASKS_END).await;
    if let Some(edge) = sole(edge).await {
        let cut = edge.shutdown(EDGE_DRAINS).await;
        if cut.connections_cut > 0 {
            tracing::warn!(?cut, "connections were still busy and were cut");
        }
    }
    followers.stop_all(FOLLOWERS_END).await;
    store.close().await;
    tracing::info!("ended");
}

/// A listener, and where it can be reached.
struct Bound {
    at: String,
    incoming: Incoming,
    /// Of the certificate, if it presents one.
    renewal: Option<Renewal>,
}

async fn bind_api(config: &Config, folders: &Folders) -> Result<Vec<Bound>, RunError> {
    let mut bound = vec![bind_socket(folders)?];
    for address in &config.api {
        let (socket, tls) = match address {
            ApiAddress::Http(socket) => (*socket, false),
            ApiAddress::Https(socket) => (*socket, true),
        };
        let failed = |source| RunError::Listen { at: address.to_string(), source };
        let listener = TcpListener::bind(socket).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?;
        if tls {
            let names = vec![config.node.clone(), config.domain.clone()];
            let addresses = vec![socket.ip()];
            let renewal = Renewal::begin(&folders.keys(), names, addresses, clock::now())?;
            let at = format!("https://{port} (fingerprint {})", renewal.fingerprint());
            let incoming = Incoming::Tls(listener, renewal.acceptor()?);
            bound.push(Bound { at, incoming, renewal: Some(renewal) });
        } else {
            let (at, incoming) = (format!("http://{port}"), Incoming::Plain(listener));
            bound.push(Bound { at, incoming, renewal: None });
        }
    }
    Ok(bound)
}

/// The socket of an earlier daemon is in the way and nobody's: the data folder is locked.
fn bind_socket(folders: &Folders) -> Result<Bound, RunError> {
    use std::os::unix::fs::PermissionsExt;
    let path = folders.socket();
    let at = format!("unix:{}", path.display());
    let failed = |source| RunError::Listen { at: at.clone(), source };
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(source)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Bound { at: at.clone(), incoming: Incoming::Socket(listener), renewal: None })
}

fn announce(
    config: &Config,
    folders: &Folders,
    edge: &Edge,
    names: Option<&Server>,
    incoming: &[Bound],
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
    for bound in incoming {
        tracing::info!(at = %bound.at, "api");
    }
}

/// An error with its causes and its hint, as the terminal shows it.
pub fn explain(error: &RunError) -> String {
    match error.hint() {
        Some(hint) => format!("error: {}\nhint: {hint}", chain(error)),
        None => format!("error: {}", chain(error)),
    }
}

/// Uploads unpacked at the same time; more wait for their turn.
const UPLOADS_AT_ONCE: usize = 2;
/// Names that wait to be looked up; one more is looked up in its turn, and nobody waits for it.
const LOOKUPS: usize = 64;
/// For the tasks to end their passes; a build is cancelled and begins anew with the next daemon.
const TASKS_END: Duration = Duration::from_secs(15);
/// The same when a successor waits: until it has the store the API is silent. What is cut, it goes
/// on with, as after a crash.
const TASKS_YIELD: Duration = Duration::from_secs(3);
/// How often, and how far apart, it is looked whether the edge has been let go.
const LETS_GO: u32 = 100;
const LETS_GO_STEP: Duration = Duration::from_millis(20);
/// For the last lines of the access log.
const FOLLOWERS_END: Duration = Duration::from_secs(1);
/// For requests under way when the daemon ends.
const EDGE_DRAINS: Duration = Duration::from_secs(20);
