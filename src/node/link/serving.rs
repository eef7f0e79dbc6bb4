//! One connection of a peer: its streams are answered side by side, and end with it.

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Body as _};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Admitted, Credentials, Handler, Peer, Refused,
    body::{Incoming, full, send_body},
    crowd::Place,
    heard::silence,
    listener::Arrived,
    tunnel::carry,
    wire::{HELLO, TARGET, introduce, term, version},
};
use crate::model::NodeName;

/// What a connection needs to be served.
#[derive(Debug)]
pub(super) struct Serving<H> {
    pub(super) admitted: watch::Receiver<Arc<Admitted>>,
    pub(super) handler: Arc<H>,
    pub(super) credentials: Credentials,
    pub(super) place: Place<NodeName>,
}

impl<H: Handler> Serving<H> {
    /// Serves a connection until its end, or until its peer is no longer admitted, is lost, or has more
    /// connections than it may.
    pub(super) async fn run(mut self, arrived: Arrived, stop: CancellationToken) {
        let Arrived { peer, mut connection, heard } = arrived;
        let mut peer = Arc::new(peer);
        let Some(pings) = connection.ping_pong() else { return };
        let welcome = self.admitted.borrow().admits(&peer);
        let cut = cut(&mut self.admitted, peer.clone(), welcome);
        tokio::pin!(cut);
        let silence = silence(pings, heard);
        tokio::pin!(silence);
        let mut stopping: Option<Instant> = None;
        let mut streams = JoinSet::new();
        let why = loop {
            tokio::select! {
                biased;
                why = &mut cut => break why,
                () = self.place.lost() => break "it has newer connections",
                () = &mut silence => break "it fell silent",
                () = stop.cancelled(), if stopping.is_none() => {
                    stopping = Some(Instant::now() + FAREWELL);
                    connection.graceful_shutdown();
                }
                () = until(stopping) => break "this daemon stops",
                Some(_) = streams.join_next() => {}
                accepted = connection.accept() => match accepted {
                    Some(Ok((request, respond))) => {
                        let said = version(request.headers());
                        if said.is_some() && said != peer.version {
                            Arc::make_mut(&mut peer).version = said;
                        }
                        // Unlike its version this is of the moment: who says nothing does not lead.
                        let leads = term(request.headers());
                        if leads != peer.term {
                            Arc::make_mut(&mut peer).term = leads;
                        }
                        let credentials = self.credentials.clone();
                        let stream = Stream { peer: peer.clone(), respond, credentials };
                        let handler = self.handler.clone();
                        streams.spawn(async move {
                            if welcome {
                                stream.answer(request, &*handler).await;
                            } else {
                                stream.turn_away().await;
                            }
                        });
                    }
                    Some(Err(error)) => {
                        tracing::debug!(node = %peer.name, %error, "a link broke");
                        break "it broke";
                    }
                    None => break "it was closed",
                },
            }
        };
        tracing::debug!(node = %peer.name, address = %peer.address, why, "a link has ended");
    }
}

/// Ends when the peer is no longer admitted; one that never was has just long enough to hear of it.
async fn cut(
    admitted: &mut watch::Receiver<Arc<Admitted>>,
    peer: Arc<Peer>,
    welcome: bool,
) -> &'static str {
    if !welcome {
        sleep(TURNED_AWAY).await;
        return "it is not admitted";
    }
    let removed = admitted.wait_for(|admitted| !admitted.admits(&peer)).await.is_ok();
    if !removed {
        // Nobody changes the list any more, so what it says last stands.
        std::future::pending::<()>().await;
    }
    "it is no longer admitted"
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A request that is to be answered.
struct Stream {
    peer: Arc<Peer>,
    respond: SendResponse<Bytes>,
    credentials: Credentials,
}

impl Stream {
    async fn answer<H: Handler>(self, request: Request<RecvStream>, handler: &H) {
        if request.method().as_str() == HELLO {
            self.refuse(StatusCode::NO_CONTENT, String::new()).await;
        } else if request.method() == Method::CONNECT {
            self.tunnel(request, handler).await;
        } else {
            self.call(request, handler).await;
        }
    }

    async fn turn_away(self) {
        let text =
            format!("`{}` is not a node of this installation, or not by this key", self.peer.name);
        self.refuse(StatusCode::FORBIDDEN, text).await;
    }

    async fn call<H: Handler>(mut self, request: Request<RecvStream>, handler: &H) {
        let request = request.map(Incoming::request);
        let answer = tokio::select! {
            biased;
            _ = poll_fn(|cx| self.respond.poll_reset(cx)) => return,
            answer = handler.call(&self.peer, request) => answer,
        };
        self.send(answer).await;
    }

    async fn tunnel<H: Handler>(mut self, request: Request<RecvStream>, handler: &H) {
        let (head, incoming) = request.into_parts();
        let connected = match target(&head.headers) {
            Err(refused) => Err(refused),
            Ok(target) => tokio::select! {
                biased;
                _ = poll_fn(|cx| self.respond.poll_reset(cx)) => return,
                connected = timeout(CONNECT, handler.tunnel(&self.peer, target)) => {
                    connected.unwrap_or_else(|_| Err(Refused::slow()))
                }
            },
        };
        match connected {
            Err(Refused { status, text }) => self.refuse(status, text).await,
            Ok(stream) => {
                let head = self.introduced(head_of(StatusCode::OK));
                match self.respond.send_response(head, false) {
                    Ok(outgoing) => carry(stream, outgoing, incoming).await,
                    Err(error) => tracing::debug!(%error, "a tunnel was given up"),
                }
            }
        }
    }

    /// Answers with a text.
    async fn refuse(self, status: StatusCode, text: String) {
        self.send(head_of(status).map(|()| full(text))).await;
    }

    async fn send(mut self, answer: Response<super::Body>) {
        let (head, body) = answer.into_parts();
        let head = self.introduced(Response::from_parts(head, ()));
        let ended = body.is_end_stream();
        let sent = match self.respond.send_response(head, ended) {
            Ok(_) if ended => Ok(()),
            Ok(mut outgoing) => send_body(&mut outgoing, body).await,
            Err(error) => {
                self.respond.send_reset(Reason::INTERNAL_ERROR);
                Err(error.into())
            }
        };
        if let Err(error) = sent {
            tracing::debug!(node = %self.peer.name, %error, "an answer did not get across");
        }
    }

    /// The same head, which says who answers.
    fn introduced(&self, mut head: Response<()>) -> Response<()> {
        introduce(head.headers_mut(), self.credentials.borrow().leads());
        head
    }
}

/// The text that a tunnel is asked for by.
fn target(fields: &HeaderMap) -> Result<&str, Refused> {
    let target = fields.get(TARGET).and_then(|target| target.to_str().ok());
    target.filter(|target| !target.is_empty()).ok_or_else(|| Refused {
        status: StatusCode::BAD_REQUEST,
        text: "the tunnel leads nowhere".to_owned(),
    })
}

fn head_of(status: StatusCode) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = status;
    head
}

/// For a handler to connect to what a tunnel leads to.
const CONNECT: Duration = Duration::from_secs(10);
/// For what is under way when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// For a peer that is not admitted to ask and to hear so.
const TURNED_AWAY: Duration = Duration::from_millis(500);
