//! An authority, daemons that listen, links that call them, and what lies behind a tunnel.

use std::{collections::BTreeMap, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode, Uri};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::{
    Admitted, Body, Far, Handler, Identity, Keys, Link, LinkError, LinkState, Listener, Peer,
    Refused, Target, full,
};
use crate::model::NodeName;

/// So long may a thing take on a machine that does much else.
pub(in crate::node) const LIMIT: Duration = Duration::from_mins(2);

pub(in crate::node) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

pub(in crate::node) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(in crate::node) struct Authority {
    pub(in crate::node) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate to be made.
pub(in crate::node) struct Leaf<'a> {
    pub(in crate::node) names: &'a [&'a str],
    pub(in crate::node) usages: &'a [ExtendedKeyUsagePurpose],
    /// The years it begins and ends in.
    pub(in crate::node) years: (i32, i32),
}

pub(in crate::node) const BOTH: &[ExtendedKeyUsagePurpose] =
    &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];

impl<'a> Leaf<'a> {
    pub(in crate::node) fn of(names: &'a [&'a str]) -> Self {
        Self { names, usages: BOTH, years: (2020, 2120) }
    }

    pub(in crate::node) fn parameters(&self) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.extended_key_usages = self.usages.to_vec();
        parameters.not_before = date_time_ymd(self.years.0, 1, 1);
        parameters.not_after = date_time_ymd(self.years.1, 1, 1);
        parameters
    }
}

impl Authority {
    pub(in crate::node) fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    /// Chain and key in PEM.
    pub(in crate::node) fn sign(&self, leaf: &Leaf<'_>) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.parameters().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(in crate::node) fn identity(&self, name: &str) -> Arc<Identity> {
        let host = node(name).in_certificate();
        let (chain, key) = self.sign(&Leaf::of(&[&host]));
        Arc::new(Identity::from_pem(node(name), &self.pem, &chain, &key).unwrap())
    }

    /// The same of one that leads with this term.
    pub(in crate::node) fn leader(&self, name: &str, term: u64) -> Arc<Identity> {
        let identity = self.identity(name);
        Arc::new(Arc::into_inner(identity).expect("nobody else has it").leading(Some(term)))
    }
}

pub(in crate::node) fn anybody(names: &[&str]) -> Arc<Admitted> {
    Arc::new(Admitted(names.iter().map(|name| (node(name), Keys::Any)).collect()))
}

/// What answers: `/echo` gives back what it gets, `/who` says who asks, `/never` says nothing; tunnels
/// lead to whoever is in the list.
#[derive(Debug, Default)]
pub(in crate::node) struct Town {
    pub(in crate::node) targets: BTreeMap<String, SocketAddr>,
    /// Whether somebody waits at `/never`.
    pub(in crate::node) waiting: watch::Sender<bool>,
}

struct Waits<'a>(&'a watch::Sender<bool>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Handler for Town {
    async fn call(&self, peer: &Peer, request: Request<Body>) -> Response<Body> {
        match request.uri().path() {
            "/echo" => Response::new(request.into_body()),
            "/who" => {
                let version = peer.version.as_deref().unwrap_or("?");
                Response::new(full(format!("{} {version} {}", peer.name, peer.key)))
            }
            "/term" => Response::new(full(format!("{:?}", peer.term))),
            "/never" => {
                let _waits = Waits(&self.waiting);
                self.waiting.send_replace(true);
                std::future::pending().await
            }
            _ => {
                let mut answer = Response::new(full("no such page"));
                *answer.status_mut() = StatusCode::NOT_FOUND;
                answer
            }
        }
    }

    async fn tunnel(&self, _: &Peer, target: &str) -> Result<Far, Refused> {
        let Some(address) = self.targets.get(target) else {
            return Err(Refused::nobody(format!("no `{target}` here")));
        };
        let connected = TcpStream::connect(address).await;
        connected.map(Far::from).map_err(|error| Refused::unreachable(error.to_string()))
    }
}

/// A daemon that listens. It ends when it is dropped.
pub(in crate::node) struct Daemon {
    pub(in crate::node) address: SocketAddr,
    pub(in crate::node) credentials: watch::Sender<Arc<Identity>>,
    pub(in crate::node) admitted: watch::Sender<Arc<Admitted>>,
    pub(in crate::node) town: Arc<Town>,
    serving: JoinHandle<()>,
    stop: DropGuard,
}

impl Daemon {
    /// One that admits `a` and shows this identity.
    pub(in crate::node) async fn start(identity: Arc<Identity>, town: Town) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), identity, town).await
    }

    pub(in crate::node) async fn start_at(
        at: SocketAddr,
        identity: Arc<Identity>,
        town: Town,
    ) -> Self {
        let listener = Listener::bind(at).await.unwrap();
        let address = listener.address();
        let (credentials, shown) = watch::channel(identity);
        let (admitted, asked) = watch::channel(anybody(&["a"]));
        let (town, stop) = (Arc::new(town), CancellationToken::new());
        let serving = tokio::spawn(listener.serve(shown, asked, town.clone(), stop.clone()));
        Self { address, credentials, admitted, town, serving, stop: stop.drop_guard() }
    }

    /// Is told to stop; what is under way may go on.
    pub(in crate::node) fn stop(self) -> JoinHandle<()> {
        drop(self.stop);
        self.serving
    }

    /// Ends as a process does that is killed.
    pub(in crate::node) async fn kill(self) {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
    }
}

/// A link from `a` to a node, which is called `b` if nothing else is said. It is closed when it is dropped.
pub(in crate::node) struct Caller {
    pub(in crate::node) link: Link,
    pub(in crate::node) target: watch::Sender<Target>,
    pub(in crate::node) credentials: watch::Sender<Arc<Identity>>,
    _stop: DropGuard,
}

impl Caller {
    pub(in crate::node) fn new(identity: Arc<Identity>, at: SocketAddr) -> Self {
        Self::of("b", identity, at)
    }

    /// The same to a node of another name.
    pub(in crate::node) fn of(name: &str, identity: Arc<Identity>, at: SocketAddr) -> Self {
        let (target, called) = watch::channel(Target { name: node(name), at });
        let (credentials, shown) = watch::channel(identity);
        let (link, keeper) = Link::new(called, shown);
        let stop = CancellationToken::new();
        tokio::spawn(keeper.run(stop.clone()));
        let link = link.with_patience(LIMIT);
        Self { link, target, credentials, _stop: stop.drop_guard() }
    }

    /// Calls another one from now on.
    pub(in crate::node) fn calls(&self, name: &str, at: SocketAddr) {
        self.target.send_replace(Target { name: node(name), at });
    }

    pub(in crate::node) async fn up(&self) {
        let mut state = self.link.state();
        let up = state.wait_for(|state| matches!(state, LinkState::Up { .. }));
        soon("the link is up", up).await.unwrap();
    }

    /// Waits until it is down for a reason with these words.
    pub(in crate::node) async fn down(&self, words: &str) {
        let mut state = self.link.state();
        let down = async {
            let down = |state: &LinkState| matches!(state, LinkState::Down { why, .. } if why.contains(words));
            state.wait_for(down).await.unwrap();
        };
        let found = timeout(LIMIT, down).await;
        assert!(found.is_ok(), "not down by `{words}`: {:?}", *self.link.state().borrow());
    }

    /// Asks for a page.
    pub(in crate::node) async fn ask(&self, path: &str) -> Result<(StatusCode, String), LinkError> {
        let mut request = Request::new(super::super::empty());
        *request.uri_mut() = path.parse::<Uri>().unwrap();
        let answer = soon("an answer", self.link.call(request)).await?;
        let status = answer.status();
        let body = soon("a body", answer.into_body().collect()).await.unwrap().to_bytes();
        Ok((status, String::from_utf8(body.to_vec()).unwrap()))
    }

    /// Which key the far side sees.
    pub(in crate::node) async fn key(&self) -> String {
        let (_, said) = self.ask("/who").await.unwrap();
        said.rsplit(' ').next().unwrap().to_owned()
    }
}

/// A daemon `b` that leads to one target, and a link to it.
pub(in crate::node) async fn pair(target: Option<SocketAddr>) -> (Authority, Daemon, Caller) {
    let authority = Authority::new();
    let targets = target.map(|at| ("target".to_owned(), at)).into_iter().collect();
    let town = Town { targets, ..Town::default() };
    let daemon = Daemon::start(authority.identity("b"), town).await;
    let caller = Caller::new(authority.identity("a"), daemon.address);
    (authority, daemon, caller)
}

/// Something that listens where a tunnel leads to.
pub(in crate::node) async fn target() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
