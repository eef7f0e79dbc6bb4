//! The calling end of a link, for as many tasks as like to.
//!
//! A call that finds no connection waits for one, so long as it has patience; what may have reached the
//! far side is never sent again, because it may have done it. How long an answer may take is the caller's to say.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::ResponseFuture};
use hyper::{
    Method, Request, Response, Uri,
    body::Body as _,
    header::HeaderValue,
    http::{request, uri},
};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Body, Credentials, Refused, Tunnel,
    body::{Incoming, send_body},
    dial::Line,
    keeper::Keeper,
    wire::{OWN_VERSION, TARGET, VERSION},
};
use crate::model::{NodeName, Timestamp};

/// A link to one node. Clones share its connection.
#[derive(Debug, Clone)]
pub struct Link {
    peer: Arc<NodeName>,
    states: watch::Receiver<LinkState>,
    lines: watch::Receiver<Option<Line>>,
    patience: Duration,
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
    /// A link to the node that listens at `address`, and what keeps it up, which is to be run.
    pub fn new(
        peer: NodeName,
        address: watch::Receiver<SocketAddr>,
        credentials: Credentials,
    ) -> (Self, Keeper) {
        let (keeper, states, lines) = Keeper::new(peer.clone(), address, credentials);
        let link = Self { peer: Arc::new(peer), states, lines, patience: PATIENCE };
        (link, keeper)
    }

    /// The same link for calls that wait longer, or less long, for a connection.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whom it calls.
    pub fn peer(&self) -> &NodeName {
        &self.peer
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
        let (answer, mut outgoing) = self.open(head, false).await?;
        let upload = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = send_body(&mut outgoing, body).await {
                tracing::debug!(%error, "a request did not get across");
            }
        }));
        let answer = answer.await.map_err(|source| self.broken(source))?;
        Ok(answer.map(|incoming| Incoming::answer(incoming, Some(upload))))
    }

    /// Opens a tunnel to something that the node knows by this text: visible ASCII, for instance the
    /// id of a container.
    pub async fn tunnel(&self, target: &str) -> Result<Tunnel, LinkError> {
        let head = Request::builder()
            .method(Method::CONNECT)
            .uri(self.peer.in_certificate())
            .header(VERSION, OWN_VERSION)
            .header(TARGET, target)
            .body(())
            .map_err(|error| LinkError::Request(error.into()))?;
        let (answer, outgoing) = self.ask(head, false).await?;
        if answer.status().is_success() {
            return Ok(Tunnel::new(outgoing, answer.into_body()));
        }
        let status = answer.status();
        let text = text(answer.into_body()).await;
        let node = NodeName::clone(&self.peer);
        Err(LinkError::Refused { node, refused: Refused { status, text } })
    }

    /// Completes a request's head: whom it is for, and from which version.
    fn head(&self, mut head: request::Parts) -> Result<Request<()>, LinkError> {
        if head.method == Method::CONNECT {
            return Err(LinkError::Request("CONNECT is a tunnel's".into()));
        }
        let unfit = |error: hyper::http::Error| LinkError::Request(error.into());
        let mut uri = uri::Parts::from(std::mem::take(&mut head.uri));
        uri.scheme.get_or_insert(uri::Scheme::HTTPS);
        if uri.authority.is_none() {
            uri.authority = Some(
                self.peer.in_certificate().parse().map_err(|e: uri::InvalidUri| unfit(e.into()))?,
            );
        }
        head.uri = Uri::from_parts(uri).map_err(|error| unfit(error.into()))?;
        head.headers.insert(VERSION, HeaderValue::from_static(OWN_VERSION));
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
            let (answer, outgoing) = self.open(head.clone(), ended).await?;
            match answer.await {
                Ok(answer) => return Ok((answer, outgoing)),
                Err(error) if is_untaken(&error) => {}
                Err(source) => return Err(self.broken(source)),
            }
        }
    }

    /// Sends a request's head over the connection of the moment, or over the next one.
    async fn open(
        &self,
        head: Request<()>,
        ended: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), LinkError> {
        let mut lines = self.lines.clone();
        let opened = async {
            loop {
                let Line { requests, spent } =
                    lines.wait_for(Option::is_some).await.ok()?.clone()?;
                if let Ok(mut requests) = requests.ready().await {
                    match requests.send_request(head.clone(), ended) {
                        Ok(opened) => return Some(Ok(opened)),
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
        LinkError::Down { node: NodeName::clone(&self.peer), why }
    }

    fn broken(&self, source: h2::Error) -> LinkError {
        if is_untaken(&source) {
            return self.down("it is about to end".to_owned());
        }
        LinkError::Broken { node: NodeName::clone(&self.peer), source }
    }
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
