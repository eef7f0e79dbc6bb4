//! The control plane's parts, put together: it starts when Docker answers, and until then says how
//! to get it.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use proxy::{Certificates, Table};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    backup::{BackupError, Depot},
    build::{
        BuildFolders, BuildLimits, Kept, KeptLimits,
        base_images::BaseImages,
        toolchains::{OpenError, Sources, Toolchains},
        workshop::{LAUNCHER, Workshop},
    },
    config::{BuildSettings, Config},
    control::{
        apps::{
            execute::Executor,
            health::Prober,
            reconcile::{Apps, Memory, Ticks},
            vault::Vault,
        },
        backups::{self, Backups},
        builds::{Builds, Unrecorded},
        cron::{self, reconcile::Cron},
        firewall::{Firewall, Wanted},
        names::PrivateNames,
        routes::Ground,
        runs::{self, reconcile::Runs},
        standstill::Standstill,
        sweep::Sweep,
        task,
        volumes::{self, Volumes},
    },
    daemon::{
        docker,
        folders::Folders,
        init::write_secret,
        private::Private,
        status::{self, Parts},
    },
    dns::system_resolvers,
    engine::docker::{Docker, DockerSettings, InstallationId},
    logs::{Collector, Logs},
    model::{Directory, NodeName, Observation, Transfer, volume::Usages},
    node::{Consoles, Edges, Fleet, Handout, Homes, Nodes, Past, Steward, Ways},
    server::{self, EngineStatus, Listening, Reach},
    store::{SealingKey, Store},
    volumes::VolumeFolders,
};

/// What the control plane is made of, before there is an engine.
#[derive(Debug)]
pub(super) struct Plane {
    here: NodeName,
    docker: DockerSettings,
    workshop: Workshop,
    folders: BuildFolders,
    builds: BuildSettings,
    releases_kept: usize,
    ground: Ground,
    certificates: watch::Receiver<Arc<Certificates>>,
    store: Store,
    logs: Logs,
    vault: Vault,
    edges: Edges,
    table: watch::Sender<Arc<Table>>,
    published: Published,
    volumes: VolumeFolders,
    firewall: Wanted,
    standstill: Standstill,
    past: Past,
}

/// What the control plane lets others see: what runs, where private names lead, how large volumes are and what is
/// sent of them, how the engine is.
#[derive(Debug)]
pub(super) struct Published {
    observation: watch::Sender<Arc<Observation>>,
    directory: watch::Sender<Arc<Directory>>,
    ways: watch::Sender<Arc<Ways>>,
    usages: watch::Sender<Arc<Usages>>,
    depot: Depot,
    transfers: watch::Sender<Option<Transfer>>,
    status: watch::Sender<EngineStatus>,
}

/// The same, as others see it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) observation: watch::Receiver<Arc<Observation>>,
    pub(super) directory: watch::Receiver<Arc<Directory>>,
    pub(super) ways: watch::Receiver<Arc<Ways>>,
    pub(super) usages: watch::Receiver<Arc<Usages>>,
    pub(super) backups: server::Backups,
    pub(super) status: watch::Receiver<EngineStatus>,
}

impl Published {
    /// Nothing is seen yet; only the place of backups can be wrong already.
    pub(super) fn new(config: &Config, folders: &Folders) -> Result<(Self, Seen), BackupError> {
        let depot = Depot::open(config.backup.as_ref(), &folders.backup_key())?;
        let (observation, observed) = watch::channel(Arc::default());
        let (directory, directed) = watch::channel(Arc::default());
        let (ways, shown) = watch::channel(Arc::default());
        let (usages, measured) = watch::channel(Arc::default());
        let (transfers, watched) = watch::channel(None);
        let (status, known) = watch::channel(EngineStatus::default());
        let seen = Seen {
            observation: observed,
            directory: directed,
            ways: shown,
            usages: measured,
            backups: server::Backups { depot: depot.clone(), transfers: watched },
            status: known,
        };
        Ok((Self { observation, directory, ways, usages, depot, transfers, status }, seen))
    }
}

/// The edges, as the control plane has them.
#[derive(Debug)]
pub(super) struct PlaneEdge {
    edges: Edges,
    table: watch::Sender<Arc<Table>>,
    certificates: watch::Receiver<Arc<Certificates>>,
    ground: Ground,
    /// Where the world finds it, and the DNS server.
    listening: Listening,
}

impl PlaneEdge {
    /// Of an edge that is bound, and those of other machines.
    pub(super) fn of(
        (table, certificates): (watch::Sender<Arc<Table>>, watch::Receiver<Arc<Certificates>>),
        ground: Ground,
        reach: &Reach,
    ) -> Self {
        let ground = Ground { https: reach.https, ..ground };
        let (edges, listening) = (reach.edges.clone(), reach.listening.clone());
        Self { edges, table, certificates, ground, listening }
    }
}

/// Why it cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The shelf of toolchains.
    #[error(transparent)]
    Toolchains(#[from] OpenError),
    /// The installation's identity.
    #[error("the installation's identity at {} cannot be used", path.display())]
    Identity {
        /// Where it is kept.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The running binary cannot be found, which build containers run.
    #[error("the running binary cannot be found")]
    Binary(#[source] io::Error),
    /// The subnets that apps' networks are cut from.
    #[error(transparent)]
    Subnets(#[from] crate::engine::docker::InvalidSubnet),
}

impl Plane {
    /// Puts the parts together.
    pub(super) fn new(
        config: &Config,
        folders: &Folders,
        (store, sealing): (&Store, &SealingKey),
        (logs, past): (&Logs, &Past),
        edge: PlaneEdge,
        published: Published,
    ) -> Result<Self, PlaneError> {
        let installation = identity(folders)?;
        let handout = handout(folders)?.remembered_by(past);
        let vault = Vault::new(store.clone(), sealing.clone(), handout, logs.clone());
        let sources = Sources::official();
        let ca_bundle = sources.ca_bundle.clone();
        let toolchains = Toolchains::open(&folders.toolchains(), sources)?;
        Ok(Self {
            here: NodeName::of_machine(&config.node),
            docker: DockerSettings {
                socket: config.docker.display().to_string(),
                subnet_pool: config.subnets.parse()?,
                resolvers: Some(system_resolvers()),
                ..DockerSettings::new(installation.clone())
            },
            workshop: Workshop {
                installation: installation.to_string(),
                data: folders.root().to_owned(),
                base: BaseImages {
                    folder: folders.stack(),
                    image: config.base_image.clone(),
                    apt: PathBuf::from("/etc/apt"),
                },
                toolchains,
                shelf: folders.toolchains(),
                binary: running().map_err(PlaneError::Binary)?,
                ca_bundle,
                idle: config.builds.idle,
                stop: CancellationToken::new(),
            },
            folders: BuildFolders::new(folders.root()),
            builds: config.builds,
            releases_kept: config.releases_kept,
            ground: edge.ground,
            certificates: edge.certificates,
            store: store.clone(),
            logs: logs.clone(),
            vault,
            edges: edge.edges,
            table: edge.table,
            published,
            volumes: VolumeFolders::new(folders.root()),
            firewall: status::firewall(config, edge.listening),
            standstill: Standstill::default(),
            past: past.clone(),
        })
    }

    /// Waits for Docker and tells `engine`, then reconciles, builds and sweeps until it is told to
    /// stop.
    pub(super) async fn run(
        self,
        (engine, consoles): (watch::Sender<Option<Docker>>, Consoles),
        nodes: Nodes,
        stop: CancellationToken,
    ) {
        let status = self.published.status.clone();
        let seen = (&self.published.observation, &status);
        let found = docker::connect(&self.docker, nodes.clone(), seen, &stop).await;
        let Some((docker, fleet)) = found else { return };
        let collector = Arc::new(Collector::new(fleet.clone(), self.logs.clone()));
        let (stack, stack_seen) = watch::channel("waiting for Docker".to_owned());
        let (kept, kept_seen) = watch::channel(None);
        let (wall, wall_seen) = watch::channel("not looked at yet".to_owned());
        let mut parts_seen = Parts { stack: stack_seen, kept: kept_seen, wall: wall_seen };
        let ways = self.published.ways.subscribe();
        let firewall = Firewall::new(docker.clone(), self.firewall.clone(), ways, wall);
        let mut parts = JoinSet::new();
        parts.spawn(task::run(firewall, stop.clone()));
        // What starts from here on starts behind it, unless it takes too long.
        let _ = timeout(WALLED, parts_seen.wall.changed()).await;
        engine.send_replace(Some(docker.clone()));
        parts.spawn(task::run(self.sweep(&docker), stop.clone()));
        parts.spawn(task::run(self.builds(&docker, stack, kept, &stop), stop.clone()));
        parts.spawn(task::run(self.runs(&docker, consoles), stop.clone()));
        let steward = Steward::new(docker.clone(), self.volumes.clone(), self.builds.reserve);
        let homes = Homes::new(steward, nodes);
        parts.spawn(task::run(self.volumes(&homes), stop.clone()));
        parts.spawn(task::run(self.backups(&homes, &stop), stop.clone()));
        parts.spawn(task::run(self.cron(), stop.clone()));
        parts.spawn(self.private(&docker, stop.clone()));
        let lost = docker.clone();
        parts.spawn(async move { lost.end_lost_programs().await });
        parts.spawn(task::run(self.apps(fleet, collector.clone()), stop.clone()));
        parts.spawn(parts_seen.pass_on(status, stop));
        while parts.join_next().await.is_some() {}
        collector.stop().await;
    }

    fn apps(self, fleet: Fleet, collector: Arc<Collector<Fleet>>) -> Apps<Fleet> {
        let prober = Prober::new(fleet.clone(), self.vault.clone(), self.standstill.clone());
        Apps {
            commits: self.store.changes(),
            executor: Executor {
                store: self.store,
                engine: fleet,
                collector,
                logs: self.logs,
                vault: self.vault,
                folders: self.folders,
                volumes: self.volumes,
                here: self.here.clone(),
                stopping: std::collections::BTreeMap::new(),
                past: self.past,
            },
            prober,
            here: self.here,
            edge_changes: self.edges.changes(),
            edges: self.edges,
            table: self.table,
            observation: self.published.observation,
            ground: self.ground,
            certificates: self.certificates,
            memory: Memory::default(),
            ticks: Ticks::default(),
        }
    }

    fn builds(
        &self,
        docker: &Docker,
        status: watch::Sender<String>,
        kept: watch::Sender<Option<Kept>>,
        stop: &CancellationToken,
    ) -> Builds<Docker> {
        Builds {
            store: self.store.clone(),
            engine: docker.clone(),
            workshop: Workshop { stop: stop.clone(), ..self.workshop.clone() },
            builder: None,
            status,
            logs: self.logs.clone(),
            vault: self.vault.clone(),
            folders: self.folders.clone(),
            limits: BuildLimits {
                memory: self.builds.memory,
                disk: self.builds.disk,
                reserve: self.builds.reserve,
                ..BuildLimits::default()
            },
            keep: KeptLimits {
                app: self.builds.keep_app,
                total: self.builds.keep,
                toolchains: self.builds.keep_toolchains,
                reserve: self.builds.reserve,
            },
            kept,
            unrecorded: Unrecorded::default(),
            tidied: None,
            at_once: self.builds.at_once,
            commits: self.store.changes(),
            stop: stop.clone(),
        }
    }

    fn runs(&self, docker: &Docker, consoles: Consoles) -> Runs<Docker> {
        Runs {
            store: self.store.clone(),
            engine: docker.clone(),
            collector: Collector::new(docker.clone(), self.logs.clone()),
            consoles,
            vault: self.vault.clone(),
            here: self.here.clone(),
            commits: self.store.changes(),
            memory: runs::reconcile::Memory::default(),
        }
    }

    fn cron(&self) -> Cron {
        Cron {
            store: self.store.clone(),
            commits: self.store.changes(),
            memory: cron::reconcile::Memory::default(),
        }
    }

    fn private(
        &self,
        docker: &Docker,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let private = Private {
            docker: docker.clone(),
            clients: self.docker.subnet_pool.parts(),
            ways: self.published.ways.clone(),
            passage: None,
        };
        let (store, commits) = (self.store.clone(), self.store.changes());
        let observation = self.published.observation.subscribe();
        let directory = self.published.directory.clone();
        let here = self.here.clone();
        let keeper = |desk| PrivateNames { here, store, commits, observation, directory, desk };
        private.run(keeper, stop)
    }

    fn volumes(&self, homes: &Homes<Docker>) -> Volumes<Docker> {
        Volumes {
            store: self.store.clone(),
            homes: homes.clone(),
            here: self.here.clone(),
            standstill: self.standstill.clone(),
            usages: self.published.usages.clone(),
            commits: self.store.changes(),
            memory: volumes::Memory::default(),
        }
    }

    fn backups(&self, homes: &Homes<Docker>, stop: &CancellationToken) -> Backups<Docker> {
        Backups {
            store: self.store.clone(),
            depot: self.published.depot.clone(),
            homes: homes.clone(),
            here: self.here.clone(),
            transfers: self.published.transfers.clone(),
            commits: self.store.changes(),
            stop: stop.clone(),
            memory: backups::Memory::default(),
        }
    }

    fn sweep(&self, docker: &Docker) -> Sweep<Docker> {
        Sweep {
            store: self.store.clone(),
            engine: docker.clone(),
            folders: self.folders.clone(),
            data: self.workshop.data.clone(),
            commits: self.store.changes(),
            releases: self.releases_kept,
            ended: std::collections::BTreeMap::new(),
        }
    }
}

/// Where instances and runs find their secrets.
pub(super) fn handout(folders: &Folders) -> Result<Handout, PlaneError> {
    Ok(Handout::new(identity(folders)?.as_str(), folders.root(), LAUNCHER))
}

/// The running binary. One that was replaced since, for an upgrade that did not come about, is only
/// to be had from the kernel.
fn running() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    Ok(if path.exists() { path } else { PathBuf::from("/proc/self/exe") })
}

/// Eight random hexadecimal digits, made once: what labels this installation's things in Docker.
fn identity(folders: &Folders) -> Result<InstallationId, PlaneError> {
    let path = folders.identity();
    let made = || -> io::Result<String> {
        if !path.exists() {
            write_secret(&path, format!("{:08x}", rand::random::<u32>()).as_bytes())?;
        }
        std::fs::read_to_string(&path)
    };
    let failed = |source| PlaneError::Identity { path: path.clone(), source };
    made().map_err(failed)?.trim().parse().map_err(|error| failed(io::Error::other(error)))
}

/// For the first look at the firewall, before anything is started in a container.
const WALLED: Duration = Duration::from_secs(3);
