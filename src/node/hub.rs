//! What nodes are told and asked over the link by the daemon that controls: what their edges serve, where
//! private names lead, what public names say, who else is a node, and the way to all instances that they do not
//! reach by themselves.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use hyper::{Method, Request, Response, StatusCode};
use proxy::{Certificates, Table, Upstream, UpstreamId, door};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
};

use super::{
    Edges, Entrances, Ways, carrier,
    edges::Connected,
    feed::{self, FeedError, FromControl, FromNode, Lines},
    follower::FEED,
    link::{Body, Far, Handler, Peer, Refused, full, reached, refusal, whole},
    memory::Notes,
};
use crate::{
    model::{Directory, PublicNames, Roster},
    telemetry::chain,
};

/// Answers nodes.
#[derive(Debug, Clone)]
pub struct Hub {
    /// What the edges of nodes are among.
    pub edges: Edges,
    /// What they route by.
    pub table: watch::Receiver<Arc<Table>>,
    /// What they present.
    pub certificates: watch::Receiver<Arc<Certificates>>,
    /// The instances that private names lead to.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// The nodes that there are.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// What DNS servers answer from; nobody has looked at what it is at first.
    pub names: watch::Receiver<Arc<PublicNames>>,
    /// Where instances are, for edges.
    pub known: Known,
    /// The same for containers, and which of them may go there.
    pub ways: watch::Receiver<Arc<Ways>>,
    /// Where users come in, for whoever leads them on.
    pub entrances: Entrances,
    /// Whoever renews certificates.
    pub renewals: mpsc::Sender<Renewal>,
}

/// A node wants its certificate anew.
#[derive(Debug)]
pub struct Renewal {
    /// Who, by the certificate that it has.
    pub peer: Peer,
    /// What it wants to be signed, in PEM.
    pub request: String,
    /// Where the answer goes: its chain in PEM, or why not.
    pub answer: oneshot::Sender<Result<String, String>>,
}

/// Where a certificate is renewed, over the link.
pub const RENEW: &str = "/renew";

/// Addresses of the instances that tables have named. One that no table names any more is remembered
/// for as long as an edge somewhere may still route by an older one.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<BTreeMap<UpstreamId, Upstream>>>);

impl Known {
    /// Learns from a table; whoever it does not name is forgotten unless `there` says that it exists.
    pub fn learn(&self, table: &Table, there: impl Fn(&UpstreamId) -> bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, _| there(id));
        known.extend(table.upstreams().map(|one| (one.id.clone(), one.clone())));
    }

    fn upstream(&self, id: &str) -> Option<Upstream> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&UpstreamId::new(id)).cloned()
    }

    /// Where an instance listens that is reached without going through a door.
    pub(super) fn here(&self, id: &str) -> Option<SocketAddr> {
        self.upstream(id)
            .filter(|upstream| upstream.door.is_none())
            .map(|upstream| upstream.address)
    }
}

impl Handler for Hub {
    async fn call(&self, peer: &Peer, request: Request<Body>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, FEED) => self.lead(peer, request.into_body()),
            (&Method::POST, RENEW) => self.renew(peer, request.into_body()).await,
            _ => refusal(StatusCode::NOT_FOUND, "this daemon does not know what that is"),
        }
    }

    /// To an instance, for an edge; or for a container, which is named too; or to a door, for a user.
    async fn tunnel(&self, peer: &Peer, target: &str) -> Result<Far, Refused> {
        if let Some(led_on) = self.entrances.through(peer, target).await {
            return led_on;
        }
        if let Some((asker, to)) = carrier::read_target(target) {
            let road = self.ways.borrow().road_for(&asker, &to);
            let road = road.ok_or_else(|| Refused::nobody("its app may not go there"))?;
            return reached(carrier::connect(road)).await;
        }
        let upstream = self.known.upstream(target);
        let upstream = upstream.ok_or_else(|| Refused::nobody("no such instance is here"))?;
        reached(async {
            let mut stream = TcpStream::connect(upstream.reached_at()).await?;
            if upstream.door.is_some() {
                door::enter(&mut stream).await?;
            }
            Ok(stream)
        })
        .await
    }
}

impl Hub {
    /// Notes what nodes are told, as they do.
    pub async fn note(&self, notes: &Notes) {
        let mut feeds = self.feeds();
        while let Some(told) = feeds.next().await {
            notes.tell(&told);
        }
    }

    /// All of it is news.
    fn feeds(&self) -> Feeds {
        let mut feeds = Feeds {
            table: self.table.clone(),
            certificates: self.certificates.clone(),
            directory: self.directory.clone(),
            roster: self.roster.clone(),
            // None at all would be told otherwise, until there are some.
            names: self.names.clone(),
        };
        feeds.table.mark_changed();
        feeds.certificates.mark_changed();
        feeds.directory.mark_changed();
        feeds.roster.mark_changed();
        feeds
    }

    /// Leads the edge of a node for as long as the call lasts.
    fn lead(&self, peer: &Peer, body: Body) -> Response<Body> {
        let connected = self.edges.connect(&peer.name);
        let (told, lines) = mpsc::channel(1);
        let feeds = self.feeds();
        let node = peer.name.clone();
        tokio::spawn(async move {
            tracing::info!(%node, "an edge is led");
            let ended = tokio::select! {
                heard = hear(body, &connected) => heard,
                told = tell(feeds, told) => told,
            };
            match ended {
                Ok(()) => tracing::info!(%node, "an edge is led no more"),
                Err(error) => {
                    tracing::warn!(%node, error = %chain(&error), "an edge is led no more");
                }
            }
        });
        Response::new(feed::body(lines))
    }

    async fn renew(&self, peer: &Peer, body: Body) -> Response<Body> {
        let Ok(request) = whole(body, LARGEST_REQUEST).await else {
            return refusal(StatusCode::BAD_REQUEST, "the request is cut off, or too large");
        };
        let request = String::from_utf8_lossy(&request).into_owned();
        let (answer, answered) = oneshot::channel();
        let renewal = Renewal { peer: peer.clone(), request, answer };
        if self.renewals.send(renewal).await.is_err() {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "the daemon is ending");
        }
        match answered.await {
            Ok(Ok(chain)) => Response::new(full(chain)),
            Ok(Err(why)) => refusal(StatusCode::FORBIDDEN, &why),
            Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "the daemon is ending"),
        }
    }
}

/// What nodes are told.
struct Feeds {
    table: watch::Receiver<Arc<Table>>,
    certificates: watch::Receiver<Arc<Certificates>>,
    directory: watch::Receiver<Arc<Directory>>,
    roster: watch::Receiver<Arc<Roster>>,
    names: watch::Receiver<Arc<PublicNames>>,
}

impl Feeds {
    /// What is published next, the newest of each kind; certificates first, since a table may lead visitors to them.
    async fn next(&mut self) -> Option<FromControl> {
        let Self { table, certificates, directory, roster, names } = self;
        let mut told = FromControl::default();
        tokio::select! {
            biased;
            Ok(()) = certificates.changed() => {
                told.certificates = Some(certificates.borrow_and_update().clone());
            }
            Ok(()) = roster.changed() => told.roster = Some(roster.borrow_and_update().clone()),
            Ok(()) = table.changed() => told.table = Some(table.borrow_and_update().clone()),
            Ok(()) = directory.changed() => {
                told.directory = Some(directory.borrow_and_update().clone());
            }
            Ok(()) = names.changed() => told.names = Some(names.borrow_and_update().clone()),
            else => return None,
        }
        Some(told)
    }
}

/// Takes what the edge says of itself.
async fn hear(body: Body, connected: &Connected) -> Result<(), FeedError> {
    let mut lines = Lines::of(body);
    while let Some(told) = lines.next::<FromNode>().await? {
        connected.says(told);
    }
    Ok(())
}

/// Tells what is published.
async fn tell(mut feeds: Feeds, to: mpsc::Sender<Bytes>) -> Result<(), FeedError> {
    while let Some(told) = feeds.next().await {
        if to.send(feed::line(&told)?).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// A signing request has less, in bytes.
const LARGEST_REQUEST: usize = 16 << 10;
