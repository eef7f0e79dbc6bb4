//! What handlers work with: handles to the store, the published observation, logs and uploads.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use api::FaultCode;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    backup::Depot,
    build::fetched::Fetcher,
    git::Repositories,
    logs::Logs,
    metrics::Figures,
    model::{
        AppName, ByteSize, Certificate, DomainName, KeyFingerprint, NodeStates, Observation,
        Observed, Transfer, volume::Usages,
    },
    node::Edges,
    ops::grant::TokenKey,
    server::{
        caller::Attempts,
        fault::Failure,
        nodes::{Cluster, Council},
        sessions::Sessions,
    },
    store::{SealingKey, Store},
};

/// The API's handles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// The records.
    pub store: Store,
    /// What runs.
    pub observation: watch::Receiver<Arc<Observation>>,
    /// What volumes take of the disk.
    pub volumes: watch::Receiver<Arc<Usages>>,
    /// Backups of volumes.
    pub backups: Backups,
    /// What was written.
    pub logs: Logs,
    /// Under which tokens are hashed.
    pub token_key: TokenKey,
    /// Wrong tokens.
    pub attempts: Attempts,
    /// The data folder.
    pub data: PathBuf,
    /// Where the world finds apps.
    pub reach: Reach,
    /// This machine's name.
    pub node: String,
    /// How the machines are that joined.
    pub nodes: watch::Receiver<Arc<NodeStates>>,
    /// What they are told; `None` if none can join.
    pub cluster: Option<Cluster>,
    /// Which machines keep the records.
    pub council: Council,
    /// Of the container engine and the base images.
    pub engine: watch::Receiver<EngineStatus>,
    /// Room for what is uploaded and pushed.
    pub intake: Intake,
    /// What gets sources from elsewhere.
    pub fetcher: Fetcher,
    /// What was pushed.
    pub git: Repositories,
    /// The SSH server, where there is one.
    pub ssh: Option<Ssh>,
    /// What secrets are sealed with.
    pub sealing: SealingKey,
    /// What is counted.
    pub figures: Figures,
    /// Said when the daemon ends, or leaves what it has to a successor.
    pub ending: CancellationToken,
    /// Programs that somebody talks to.
    pub sessions: Sessions,
    /// What stays of what is over.
    pub retention: Retention,
    /// Names to look up now; each is answered when it is on record where it leads.
    pub lookups: mpsc::Sender<(DomainName, oneshot::Sender<()>)>,
}

impl Api {
    /// What runs. A daemon that has just begun knows of nothing: whoever asks waits for its first look, or for
    /// what is in the way of it.
    pub(super) async fn observed(&self) -> Arc<Observation> {
        let mut observation = self.observation.clone();
        let known = observation.wait_for(|seen| seen.has_looked() || seen.engine_fault.is_some());
        drop(timeout(FIRST_LOOK, known).await);
        observation.borrow().clone()
    }

    /// The instances of an app, for whoever wants into one.
    pub(super) async fn instances_of(&self, app: &AppName) -> Result<Vec<Observed>, Failure> {
        let observation = self.observed().await;
        if !observation.has_looked() {
            let fault = observation.engine_fault.as_deref();
            let why = fault.unwrap_or("this server has just started, and Docker has not told it");
            let why = format!("what runs of {app} is not known yet: {why}");
            let failure = Failure::new(FaultCode::Unavailable, why);
            return Err(failure.hint("`paas status` tells how Docker is"));
        }
        Ok(observation.apps.get(app).cloned().unwrap_or_default())
    }
}

/// Room for what is uploaded and pushed.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Uploads that are unpacked at the same time; more wait.
    pub(super) unpacking: Arc<Semaphore>,
    /// What is to stay free on the disk, or a twentieth of it if that is less.
    pub(super) reserve: ByteSize,
}

impl Intake {
    /// On a disk of which so much is to stay free.
    pub fn new(reserve: ByteSize) -> Self {
        Self { unpacking: Arc::new(Semaphore::new(UNPACKED_AT_ONCE)), reserve }
    }
}

/// What stays of what is over, as the settings have it.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// How long destroyed apps are kept; `None` is not at all.
    pub undelete_for: Option<Duration>,
    /// The newest releases of an app that stay, where it does not say so itself.
    pub releases_kept: usize,
}

/// Backups of volumes.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Where they are kept, and the keys.
    pub depot: Depot,
    /// What is sent there at present, or fetched.
    pub transfers: watch::Receiver<Option<Transfer>>,
}

/// What clients of the SSH server have to know of it.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Where it listens.
    pub port: u16,
    /// Its public key, as a line of `known_hosts` has it behind the names.
    pub key: String,
    /// What `ssh` shows of it to people.
    pub fingerprint: KeyFingerprint,
}

/// Where the world finds apps.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Apps are `<app>.<domain>`.
    pub domain: String,
    /// The port of plain HTTP.
    pub http: u16,
    /// The port of TLS, if it is spoken.
    pub https: Option<u16>,
    /// The edges, which the world finds at their addresses.
    pub edges: Edges,
    /// Whether this server answers for zones.
    pub dns: bool,
    /// Whether certificates are got for domains by themselves.
    pub acme: bool,
    /// Where it is listened for the world.
    pub listening: Listening,
}

/// The addresses that are listened on for the world; nothing where something is off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listening {
    /// By the edge, for plain HTTP.
    pub http: Vec<SocketAddr>,
    /// By the edge, for TLS.
    pub https: Vec<SocketAddr>,
    /// By the DNS server.
    pub dns: Vec<SocketAddr>,
}

/// How the container engine and the base images are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineStatus {
    /// The engine's version, once it has answered.
    pub version: Option<String>,
    /// How far the base images are: `ready`, or what is being done or went wrong.
    pub stack: String,
    /// Whether containers are kept from this machine's services: `on`, or why they are not.
    pub firewall: String,
    /// What builds keep on the disk, once that was looked at, in bytes: of apps, of what they share,
    /// of toolchains.
    pub kept: Option<(u64, u64, u64)>,
}

impl Reach {
    /// The URL of a host: over TLS if it is spoken and there is something to prove the host with.
    /// Ports that the scheme implies are left out.
    pub(super) fn url(&self, host: &str, proof: Option<&Certificate>) -> String {
        let proved = proof.is_some_and(|certificate| certificate.issued.is_some());
        match (self.https.filter(|_| proved), self.http) {
            (Some(443), _) => format!("https://{host}"),
            (Some(port), _) => format!("https://{host}:{port}"),
            (None, 80) => format!("http://{host}"),
            (None, port) => format!("http://{host}:{port}"),
        }
    }
}

/// The longest that a request waits for the daemon's first look at what runs.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// The longest that a request waits for a lookup.
pub(super) const LOOKUP: Duration = Duration::from_secs(8);
/// Uploads that are unpacked at the same time.
const UNPACKED_AT_ONCE: usize = 2;
