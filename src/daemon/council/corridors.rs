//! How the machines that keep the records reach each other: a door and links of their own, beside those of nodes.
//!
//! They belong to the seat and not to what this machine is at the moment, a control or a node: who leads would
//! be unheard of while it becomes what it has been elected to. And an image on its way to a node holds up no
//! heartbeat.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hyper::{Method, Request, Response, StatusCode};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    model::NodeName,
    node::link::{
        Admitted, Body, Calls, Credentials, Far, Handler, Keys, Link, Peer, Refused, full, refusal,
        whole,
    },
    store::quorum::{Carrier, Circle, Member, Seat, Unheard},
    telemetry::chain,
};

/// Where members are asked, over their links.
const QUORUM: &str = "/quorum";

/// The links to other members; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Corridors(Arc<Mutex<Called>>);

#[derive(Debug)]
struct Called {
    calls: Calls,
    members: BTreeMap<NodeName, SocketAddr>,
    links: BTreeMap<NodeName, Link>,
    stop: CancellationToken,
}

impl Corridors {
    /// To nobody yet; all are closed when `stop` says so.
    pub(super) fn new(credentials: Credentials, stop: CancellationToken) -> Self {
        let (calls, members, links) = (Calls::new(credentials), BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Called { calls, members, links, stop })))
    }

    /// The link to a member, which is called from now on, where it is now.
    fn to(&self, member: &Member) -> Result<Link, Unheard> {
        let lost = |why: &str| Unheard(format!("{}: {why}", member.name));
        let name: NodeName = member.name.parse().map_err(|_| lost("it has no name"))?;
        let at = member.at.ok_or_else(|| lost("it is nowhere"))?;
        let mut called = self.called();
        if called.members.get(&name) != Some(&at) {
            called.members.insert(name.clone(), at);
            let Called { calls, members, links, stop } = &mut *called;
            links.extend(
                calls
                    .keep_to(members, stop)
                    .into_iter()
                    .map(|(link, _)| (link.peer().clone(), link)),
            );
        }
        called.links.get(&name).cloned().ok_or_else(|| lost("it is not called"))
    }

    fn called(&self) -> MutexGuard<'_, Called> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for Corridors {
    fn ask(
        &self,
        member: Member,
        question: Vec<u8>,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, Unheard>> {
        let link = self.to(&member);
        Box::pin(async move {
            let lost = |why: &str| Unheard(format!("{}: {why}", member.name));
            let link = link?;
            match timeout(patience, link.post(QUORUM, question, LARGEST)).await {
                Ok(answered) => answered.map(Into::into).map_err(|error| lost(&chain(&error))),
                Err(_) => Err(lost("no answer in time")),
            }
        })
    }
}

/// Answers other members.
#[derive(Debug)]
pub(super) struct Chamber(pub(super) Arc<Seat>);

impl Handler for Chamber {
    async fn call(&self, _: &Peer, request: Request<Body>) -> Response<Body> {
        if (request.method(), request.uri().path()) != (&Method::POST, QUORUM) {
            return refusal(StatusCode::NOT_FOUND, "members ask each other nothing but that");
        }
        let Ok(question) = whole(request.into_body(), LARGEST).await else {
            return refusal(StatusCode::BAD_REQUEST, "the question is cut off, or too large");
        };
        match self.0.answer(&question).await {
            Ok(answer) => Response::new(full(answer)),
            Err(error) => refusal(StatusCode::BAD_REQUEST, &format!("not understood: {error}")),
        }
    }

    async fn tunnel(&self, _: &Peer, _: &str) -> Result<Far, Refused> {
        Err(Refused::nobody("nothing leads on from here"))
    }
}

/// Lets in whoever takes part or is being admitted, and who has asked this machine to; nobody else.
pub(super) async fn admit(
    seat: Arc<Seat>,
    by: Option<NodeName>,
    admit: watch::Sender<Arc<Admitted>>,
    stop: CancellationToken,
) {
    let mut circle = seat.circle();
    loop {
        let Circle { members, newcomers } = circle.borrow_and_update().clone();
        let all = members.values().chain(newcomers.values());
        // Until it is known who takes part, it is whoever asked.
        let asked = by.clone().filter(|_| members.is_empty());
        let names = all.filter_map(|member| member.name.parse().ok()).chain(asked);
        // Each of them has the authority's key, so that a certain one of its own would prove no more.
        let admitted = Arc::new(Admitted(names.map(|name| (name, Keys::Any)).collect()));
        admit.send_if_modified(|before| std::mem::replace(before, admitted.clone()) != admitted);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = circle.changed() => if changed.is_err() { return },
        }
    }
}

/// One commit in one entry, and a piece of all records, have less, in bytes.
const LARGEST: usize = 32 << 20;
