//! The calling end of a link, for as many tasks as like to.
//!
//! A call that finds no connection waits for one, so long as it has patience; what may have reached the
//! far side is never sent again, because it may have done it. How long an answer may take is the caller's to say.

use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::ResponseFuture};
use hyper::{
    Method, Request, Response, Uri,
    body::Body as _,
    http::{request, uri},
};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Body, Credentials, Refused, Tunnel,
    body::{Incoming, send_body},
    dial::Line,
    keeper::{Keeper, Kept, Target},
    wire::{self, TARGET},
};
use crate::model::{NodeName, Timestamp};

/// A link to one node at a time. Clones share its connection.
#[derive(Debug, Clone)]
pub struct Link {
    target: watch::Receiver<Target>,
    credentials: Credentials,
    states: watch::Receiver<LinkState>,
    missed: watch::Receiver<Option<Target>>,
    lines: watch::Receiver<Option<Line>>,
    patience: Duration,
}

/// Who has answered a call; it is among the answer's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The node, by its certificate.
    pub by: NodeName,
    /// With which term it says that it leads.
    pub term: Option<u64>,
}

/// How a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The node can be called.
    Up {
        /// Since when.
        since: Timestamp,
        /// Which version of paas it is.
        version: Option<String>,
    },
    /// It cannot, and is being tried.
    Down {
        /// Since when.
        since: Timestamp,
        /// Why it was not reached last, for people.
        why: String,
    },
}

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There was no connection in time, or the node was about to end. Nothing was done.
    #[error("node `{node}` is not reached: {why}")]
    Down {
        /// Which.
        node: NodeName,
        /// Why.
        why: String,
    },
    /// The connection broke, or the node gave up. It may have done what it was asked.
    #[error("the link to node `{node}` broke before there was an answer")]
    Broken {
        /// Which.
        node: NodeName,
        /// What happened.
        #[source]
        source: h2::Error,
    },
    /// The node does not give this tunnel.
    #[error("node `{node}` gives no tunnel")]
    Refused {
        /// Which.
        node: NodeName,
        /// Why.
        #[source]
        refused: Refused,
    },
    /// The request cannot be made.
    #[error("this cannot be asked over a link")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Link {
    /// A link to whoever is the target, and what keeps it up, which is to be run.
    pub fn new(target: watch::Receiver<Target>, credentials: Credentials) -> (Self, Keeper) {
        let (keeper, kept) = Keeper::new(target.clone(), credentials.clone());
        let Kept { states, missed, lines } = kept;
        (Self { target, credentials, states, missed, lines, patience: PATIENCE }, keeper)
    }

    /// The same link for calls that wait longer, or less long, for a connection.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whom it calls now.
    pub fn peer(&self) -> NodeName {
        self.target.borrow().name.clone()
    }

    /// Whom it did not reach last, or lost; it changes whenever that happens again.
    pub fn missed(&self) -> watch::Receiver<Option<Target>> {
        self.missed.clone()
    }

    /// How it is; a level that can be waited on.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.states.clone()
    }

    /// Whether it is up now.
    pub fn is_up(&self) -> bool {
        matches!(*self.states.borrow(), LinkState::Up { .. })
    }

    /// Asks the node. The answer may come before all of the request is sent; dropping either, or its
    /// body, gives it up.
    pub async fn call(&self, request: Request<Body>) -> Result<Response<Body>, LinkError> {
        let (head, body) = request.into_parts();
        let head = self.head(head)?;
        if body.is_end_stream() {
            let (answer, _) = self.ask(head, true).await?;
            return Ok(answer.map(|incoming| Incoming::answer(incoming, None)));
        }
        let Asked { by, answer, mut outgoing } = self.open(head, false).await?;
        let upload = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = send_body(&mut outgoing, body).await {
                tracing::debug!(%error, "a request did not get across");
            }
        }));
        let answer = answer.await.map_err(|source| broken(&by, source))?;
        Ok(answered(answer, by).map(|incoming| Incoming::answer(incoming, Some(upload))))
    }

    /// Opens a tunnel to something that the node knows by this text: visible ASCII, for instance the
    /// id of a container.
    pub async fn tunnel(&self, target: &str) -> Result<Tunnel, LinkError> {
        let head = Request::builder()
            .method(Method::CONNECT)
            .uri(self.peer().in_certificate())
            .header(TARGET, target)
            .body(())
            .map_err(|error| LinkError::Request(error.into()))?;
        let (answer, outgoing) = self.ask(head, false).await?;
        if answer.status().is_success() {
            return Ok(Tunnel::new(outgoing, answer.into_body()));
        }
        let status = answer.status();
        let by = answer.extensions().get::<Answered>().map(|answered| answered.by.clone());
        let (node, text) = (by.unwrap_or_else(|| self.peer()), text(answer.into_body()).await);
        Err(LinkError::Refused { node, refused: Refused { status, text } })
    }

    /// Completes a request's head: whom it is for.
    fn head(&self, mut head: request::Parts) -> Result<Request<()>, LinkError> {
        if head.method == Method::CONNECT {
            return Err(LinkError::Request("CONNECT is a tunnel's".into()));
        }
        let unfit = |error: hyper::http::Error| LinkError::Request(error.into());
        let mut uri = uri::Parts::from(std::mem::take(&mut head.uri));
        uri.scheme.get_or_insert(uri::Scheme::HTTPS);
        if uri.authority.is_none() {
            uri.authority = Some(
                self.peer()
                    .in_certificate()
                    .parse()
                    .map_err(|e: uri::InvalidUri| unfit(e.into()))?,
            );
        }
        head.uri = Uri::from_parts(uri).map_err(|error| unfit(error.into()))?;
        Ok(Request::from_parts(head, ()))
    }

    /// Sends a head and waits for the answer. What a daemon that is about to end has not taken is for
    /// its successor.
    async fn ask(
        &self,
        head: Request<()>,
        ended: bool,
    ) -> Result<(Response<RecvStream>, SendStream<Bytes>), LinkError> {
        loop {
            let Asked { by, answer, outgoing } = self.open(head.clone(), ended).await?;
            match answer.await {
                Ok(answer) => return Ok((answered(answer, by), outgoing)),
                Err(error) if is_untaken(&error) => {}
                Err(source) => return Err(broken(&by, source)),
            }
        }
    }

    /// Sends a request's head over the connection of the moment, or over the next one; from which version, and
    /// whether from a leader, it says when it is sent.
    async fn open(&self, mut head: Request<()>, ended: bool) -> Result<Asked, LinkError> {
        let mut lines = self.lines.clone();
        let opened = async {
            loop {
                let Line { requests, peer: by, spent } =
                    lines.wait_for(Option::is_some).await.ok()?.clone()?;
                if let Ok(mut requests) = requests.ready().await {
                    wire::introduce(head.headers_mut(), self.credentials.borrow().leads());
                    match requests.send_request(head.clone(), ended) {
                        Ok((answer, outgoing)) => return Some(Ok(Asked { by, answer, outgoing })),
                        Err(error) if is_lost(&error) => {}
                        Err(error) => return Some(Err(LinkError::Request(error.into()))),
                    }
                }
                spent.cancel();
                lines.changed().await.ok()?;
            }
        };
        match timeout(self.patience, opened).await {
            Ok(Some(opened)) => opened,
            Ok(None) => Err(self.down("the link is closed".to_owned())),
            Err(_) => Err(self.down(match &*self.states.borrow() {
                LinkState::Down { why, .. } => why.clone(),
                LinkState::Up { .. } => "it takes no more requests".to_owned(),
            })),
        }
    }

    fn down(&self, why: String) -> LinkError {
        LinkError::Down { node: self.peer(), why }
    }
}

/// A request that was sent.
struct Asked {
    /// Whom.
    by: NodeName,
    answer: ResponseFuture,
    outgoing: SendStream<Bytes>,
}

/// The answer, which tells whose it is.
fn answered(mut answer: Response<RecvStream>, by: NodeName) -> Response<RecvStream> {
    let term = wire::term(answer.headers());
    answer.extensions_mut().insert(Answered { by, term });
    answer
}

fn broken(node: &NodeName, source: h2::Error) -> LinkError {
    let node = node.clone();
    if is_untaken(&source) {
        return LinkError::Down { node, why: "it is about to end".to_owned() };
    }
    LinkError::Broken { node, source }
}

/// Whether the far side has said that it did not even look at a request (RFC 9113 section 6.8).
fn is_untaken(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
}

/// Whether it was the connection that failed, and not the request.
fn is_lost(error: &h2::Error) -> bool {
    error.is_io() || error.is_go_away() || error.is_reset()
}

/// The beginning of a short text.
pub(super) async fn text(mut incoming: RecvStream) -> String {
    let mut text = Vec::new();
    while let Some(Ok(data)) = incoming.data().await {
        text.extend_from_slice(&data);
        if text.len() >= LONGEST_TEXT {
            break;
        }
    }
    text.truncate(LONGEST_TEXT);
    String::from_utf8_lossy(&text).into_owned()
}

/// How long a call waits for a connection, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of a refusal's text.
const LONGEST_TEXT: usize = 1 << 10;
