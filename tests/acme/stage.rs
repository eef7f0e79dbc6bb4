//! A server without containers: the store, the DNS server, the door for proofs, and the task that gets
//! certificates, which can be killed and started again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use paas::{
    acme, clock,
    control::{
        certificates::{Certificates, Limits, Outlets, Platform, Settings, World, ZoneOf},
        task,
        zones::{Answering, Answers, Naming},
    },
    dns::{self, Lookup, Zones},
    model::{
        AcmeAccount, Actor, Certificate, CertificateState, DnsData, DnsRecord, Domain, NodeName,
        PublicNames, Zone, zone::Proofs,
    },
    node::{Edges, Reach},
    store::{self, SealingKey, Store, StoreOptions, View},
};
use proxy::{Edge, Feeds, Listen, Table};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::pebble::{Behaviour, Pebble};

/// The zone in which the tests' names are.
pub(crate) const ZONE: &str = "shop.test";
/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) presented: watch::Receiver<Arc<proxy::Certificates>>,
    names: watch::Receiver<Arc<PublicNames>>,
    pub(crate) lookup: Lookup,
    pub(crate) dns: SocketAddr,
    pub(crate) http: u16,
    pub(crate) tls: u16,
    edge: Arc<Edge>,
    given: Vec<IpAddr>,
    certificates: watch::Sender<Arc<proxy::Certificates>>,
    proofs: watch::Sender<Arc<Proofs>>,
    pub(crate) sealing: SealingKey,
    running: Option<JoinHandle<()>>,
    _table: watch::Sender<Arc<Table>>,
    _folder: TempDir,
    _server: dns::Server,
}

impl Stage {
    /// Everything but the authority and the task.
    pub(crate) async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let store = Store::open(folder.path(), options).unwrap();
        let now = clock::now();
        let zone = Zone { name: ZONE.parse().unwrap(), created_at: now, by: Actor::platform() };
        // Otherwise a name is looked up while the zone still learns of it.
        let everything = DnsRecord {
            name: format!("*.{ZONE}").parse().unwrap(),
            data: DnsData::A { address: Ipv4Addr::LOCALHOST },
            ttl: 60,
            created_at: now,
            by: Actor::platform(),
        };
        let begun = store.transact::<_, store::StoreError, _>(move |tx| {
            tx.put(&zone)?;
            tx.put(&everything)
        });
        begun.await.unwrap();
        let (certificates, presented) = watch::channel(Arc::default());
        let (proofs, proofs_seen) = watch::channel(Arc::default());
        let (zones, zones_seen) = watch::channel(Arc::new(Zones::default()));
        let local = ["127.0.0.1:0".parse().unwrap()];
        let limits = dns::Limits { threads: 1, answers_per_second: None, ..Default::default() };
        let server = dns::Server::bind(&local, &zones_seen, limits).unwrap();
        let dns = server.addresses()[0];
        let (table, table_seen) = watch::channel(Arc::default());
        let edge = edge(table_seen, presented.clone());
        let published = answer(&store, &edge, proofs_seen, zones);
        let lookup = Lookup::at(dns).unwrap();
        while lookup.addresses(&format!("any.{ZONE}")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (http, tls) = (edge.addresses()[0].port(), edge.addresses()[1].port());
        Self {
            store,
            settings: Settings {
                platform: Platform { domain: "paas.test".to_owned(), zone: ZoneOf::Others },
                directories: Vec::new(),
                acme: acme::Settings::default(),
                http_port: Some(http),
                tls_port: None,
                limits: Limits::default(),
            },
            presented,
            names: published,
            lookup,
            dns,
            http,
            tls,
            edge,
            certificates,
            proofs,
            sealing: SealingKey::new([7; 32]),
            given: Vec::new(),
            running: None,
            _table: table,
            _folder: folder,
            _server: server,
        }
    }

    /// The same with a pebble, and the task running.
    pub(crate) async fn with_pebble(
        change: impl FnOnce(&mut Behaviour, &mut Settings),
    ) -> (Self, Pebble) {
        Self::at(Vec::new(), change).await
    }

    /// The same, its edge found at these addresses and not at the machine's own.
    pub(crate) async fn at(
        given: Vec<IpAddr>,
        change: impl FnOnce(&mut Behaviour, &mut Settings),
    ) -> (Self, Pebble) {
        let mut stage = Self { given, ..Self::set().await };
        let mut behaviour = Behaviour::new(stage.dns, stage.http, stage.tls);
        change(&mut behaviour, &mut stage.settings);
        let pebble = stage.begin(&behaviour).await;
        (stage, pebble)
    }

    /// Starts a pebble and the task.
    pub(crate) async fn begin(&mut self, behaviour: &Behaviour) -> Pebble {
        let pebble = Pebble::start(behaviour).await;
        self.settings.directories.push(pebble.directory());
        self.settings.acme.root = Some(pebble.root());
        self.start();
        pebble
    }

    /// Starts the task.
    pub(crate) fn start(&mut self) {
        let edges = edges(&self.edge, &self.given);
        let (lookup, names) = (self.lookup.clone(), self.names.clone());
        let world = World { lookup, edges, names };
        let outlets =
            Outlets { certificates: self.certificates.clone(), texts: self.proofs.clone() };
        let task = Certificates::new(
            self.store.clone(),
            self.sealing.clone(),
            self.settings.clone(),
            world,
            outlets,
        );
        self.running = Some(tokio::spawn(task::run(task, CancellationToken::new())));
    }

    /// Cuts the task off in the middle of whatever it does.
    pub(crate) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            running.await.ok();
        }
    }

    /// Registers a name.
    pub(crate) async fn add(&self, name: &str) {
        let domain = Domain {
            name: name.parse().unwrap(),
            path: "/".parse().unwrap(),
            strip: false,
            app: "blog".parse().unwrap(),
            moved_to: None,
            created_at: clock::now(),
            by: Actor::platform(),
        };
        self.store.transact::<_, store::StoreError, _>(move |tx| tx.put(&domain)).await.unwrap();
    }

    /// Takes a name back.
    pub(crate) async fn remove(&self, name: &str) {
        let key = (name.to_owned(), "/".to_owned());
        self.store
            .transact::<_, store::StoreError, _>(move |tx| tx.delete::<Domain>(&key))
            .await
            .unwrap();
    }

    /// The record of a name.
    pub(crate) fn certificate(&self, name: &str) -> Option<Certificate> {
        self.store.snapshot().get::<Certificate>(&name.to_owned()).unwrap()
    }

    /// Waits until the record of a name is as it should be.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: impl Fn(&Certificate) -> bool,
    ) -> Certificate {
        let mut changes = self.store.changes();
        let wait = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = self.certificate(name).filter(|found| what(found)) {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        let found = timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("{name} stays {:?}", self.certificate(name)))
    }

    /// Waits until a name has its certificate, in the record and at the edge.
    pub(crate) async fn until_issued(&self, name: &str) -> Certificate {
        let found = self.until(name, |found| found.state == CertificateState::Issued).await;
        let host: proxy::Pattern = name.parse().unwrap();
        let mut presented = self.presented.clone();
        let shown = presented.wait_for(|shown| shown.hosts.contains_key(&host));
        let generation = timeout(PATIENCE, shown).await.unwrap().unwrap().generation;
        let mut changes = self.edge.changes();
        while self.edge.traffic().presented.is_none_or(|presented| presented < generation) {
            timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
        }
        found
    }

    /// What went wrong, once something has.
    pub(crate) async fn until_failing(&self, name: &str) -> (u32, String, Option<String>) {
        let failing = |found: &Certificate| matches!(found.state, CertificateState::Failing { .. });
        match self.until(name, failing).await.state {
            CertificateState::Failing { attempts, reason, hint, .. } => (attempts, reason, hint),
            other => panic!("{other:?}"),
        }
    }

    /// What a user does who has put right what was wrong.
    pub(crate) async fn retry(&self, name: &str) {
        let key = name.to_owned();
        self.store
            .transact::<_, store::StoreError, _>(move |tx| {
                let certificate = tx.get::<Certificate>(&key)?.unwrap();
                tx.put(&Certificate { state: CertificateState::Wanted, ..certificate })
            })
            .await
            .unwrap();
    }

    /// The diary of the app that has all names.
    pub(crate) fn diary(&self) -> Vec<String> {
        let events = self.store.snapshot().scan::<paas::model::Event>("blog").unwrap();
        events.into_iter().map(|event| event.text).collect()
    }

    /// Why names have no certificate.
    pub(crate) fn failures(&self) -> Vec<String> {
        let all = self.store.snapshot().scan::<Certificate>(&()).unwrap();
        let failing = all.into_iter().filter_map(|certificate| match certificate.state {
            CertificateState::Failing { reason, .. } => Some(reason),
            _ => None,
        });
        failing.collect()
    }

    /// How many certificates are in which state.
    pub(crate) fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for certificate in self.store.snapshot().scan::<Certificate>(&()).unwrap() {
            *states.entry(certificate.state.word()).or_default() += 1;
        }
        states
    }

    /// The account at an authority.
    pub(crate) fn account(&self, directory: &str) -> Option<AcmeAccount> {
        self.store.snapshot().get::<AcmeAccount>(&directory.to_owned()).unwrap()
    }
}

/// Has the DNS server answer by the records, and by these proofs: what is published.
fn answer(
    store: &Store,
    edge: &Arc<Edge>,
    proofs: watch::Receiver<Arc<Proofs>>,
    zones: watch::Sender<Arc<Zones>>,
) -> watch::Receiver<Arc<PublicNames>> {
    let (names, published) = watch::channel(Arc::default());
    let here: NodeName = "box".parse().unwrap();
    let naming = Naming {
        store: store.clone(),
        commits: store.changes(),
        proofs,
        platform: "paas.test".to_owned(),
        here: here.clone(),
        edges: edges(edge, &["127.0.0.1".parse().unwrap()]),
        there: watch::channel(()).1,
        names,
    };
    let (_, reach) = watch::channel(Reach::All);
    let (serial, _) = watch::channel(Some(0));
    let answering = Answering::new(published.clone(), (here, reach), Answers { zones, serial });
    tokio::spawn(task::run(naming, CancellationToken::new()));
    tokio::spawn(task::run(answering, CancellationToken::new()));
    published
}

fn edges(edge: &Arc<Edge>, given: &[IpAddr]) -> Edges {
    Edges::of(edge, given, watch::channel(Some(0)).1)
}

/// An edge with a plain and a TLS listener, in this order.
fn edge(
    table: watch::Receiver<Arc<Table>>,
    certificates: watch::Receiver<Arc<proxy::Certificates>>,
) -> Arc<Edge> {
    let any = "127.0.0.1:0".parse().unwrap();
    let listen = vec![Listen::http(any), Listen::https(any)];
    let settings = proxy::Settings::new(listen, clock::system);
    let (access_log, records) = proxy::access_log();
    drop(records);
    Arc::new(Edge::bind(settings, &Feeds { table, certificates }, &access_log).unwrap())
}
