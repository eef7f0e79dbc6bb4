//! The line to a server's API: HTTP/1.1 over a socket file, TCP on this machine, or TLS with a
//! pinned authority.
//!
//! One connection per request: a command makes one to three of them. Every wait for the server has
//! a limit, except a stream that is followed on purpose; there the kernel's keep-alive notices a
//! server that is gone.

mod answer;
mod body;
mod connect;
mod line;
mod lines;
pub(crate) mod look;
mod others;
mod patient;
mod pin;
pub(crate) mod route;
mod tls;

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

pub(crate) use answer::Answer;
pub(crate) use body::Pieces;
use bytes::Bytes;
pub(crate) use connect::{authority, presented};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
pub(crate) use line::{Ear, Line, Mouth};
pub(crate) use lines::Lines;
pub(crate) use pin::{Fingerprint, INTERNAL};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use crate::{failure::Failure, target::Server};

/// What a request carries.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A server that can be asked, at whichever of its addresses is reached.
pub(crate) struct Client {
    server: Server,
    /// The same at each of its other addresses.
    others: Vec<Server>,
    /// Which of all is asked, the first one being the server as it was named.
    asked: AtomicUsize,
    /// Who hears that another address is asked.
    tell: Box<dyn Fn(&str)>,
}

/// An upload: its body, and how much of it has been sent, by which a stall is noticed.
pub(crate) struct Upload {
    /// What is sent.
    pub(crate) body: Body,
    /// Bytes sent so far.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Client {
    /// Talks to `server`; nothing is sent yet.
    pub(crate) fn new(server: Server) -> Self {
        Self::telling(server, |_| {})
    }

    /// The same; `tell` hears that another of its addresses is asked, because one is not reached.
    pub(crate) fn telling(server: Server, tell: impl Fn(&str) + 'static) -> Self {
        let others = server.others.iter().map(|address| server.at(address.clone())).collect();
        Self { server, others, asked: AtomicUsize::new(0), tell: Box::new(tell) }
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> String {
        self.server().address.to_string()
    }

    /// Asks for what is at `path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.short(Method::GET, path, nothing()).await
    }

    /// Asks for a change that needs no description.
    pub(crate) async fn act(&self, method: Method, path: &str) -> Result<Answer, Failure> {
        self.short(method, path, nothing()).await
    }

    /// Asks for the change that `description` describes.
    pub(crate) async fn send<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        description: &T,
    ) -> Result<Answer, Failure> {
        let body = json(description)?;
        self.short(method, path, body).await
    }

    /// Asks for something that takes the server as long as the rest of the internet does.
    pub(crate) async fn send_for_long<T: Serialize>(
        &self,
        path: &str,
        description: &T,
    ) -> Result<Answer, Failure> {
        let body = json(description)?;
        self.within(LONG, self.exchange(Method::POST, path, body)).await
    }

    /// What is at `path`, piece by piece.
    pub(crate) async fn body(&self, path: &str) -> Result<Pieces, Failure> {
        let exchange = self.exchange(Method::GET, path, nothing());
        let response = timeout(ANSWER, exchange).await.map_err(|_| self.silent(ANSWER))??;
        let response = Answer::check(response, self).await?;
        Ok(Pieces::new(response, self.address()))
    }

    /// Follows what is at `path`, line by line.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, Failure> {
        let exchange = self.exchange(Method::GET, path, nothing());
        let response = timeout(ANSWER, exchange).await.map_err(|_| self.silent(ANSWER))??;
        let response = Answer::check(response, self).await?;
        Ok(Lines::new(response, self.address()))
    }

    /// Sends a body that takes as long as it takes, as long as it moves.
    pub(crate) async fn upload(&self, path: &str, upload: Upload) -> Result<Answer, Failure> {
        let exchange = self.exchange(Method::POST, path, upload.body);
        tokio::pin!(exchange);
        let mut before = upload.sent.load(Ordering::Relaxed);
        loop {
            tokio::select! {
                response = &mut exchange => return Answer::read_all(response?, self).await,
                () = sleep(STALL) => {}
            }
            let now = upload.sent.load(Ordering::Relaxed);
            if now == before {
                return Err(self.silent(STALL));
            }
            before = now;
        }
    }

    async fn short(&self, method: Method, path: &str, body: Body) -> Result<Answer, Failure> {
        self.within(ANSWER, self.exchange(method, path, body)).await
    }

    async fn within(
        &self,
        limit: Duration,
        exchange: impl Future<Output = Result<Reply, Failure>>,
    ) -> Result<Answer, Failure> {
        let whole = async { Answer::read_all(exchange.await?, self).await };
        timeout(limit, whole).await.map_err(|_| self.silent(limit))?
    }

    async fn exchange(&self, method: Method, path: &str, body: Body) -> Result<Reply, Failure> {
        let connection = self.connect().await?;
        let request = self.request(method, path, body)?;
        let io = hyper_util::rt::TokioIo::new(connection);
        let (mut sender, driver) =
            hyper::client::conn::http1::handshake(io).await.map_err(|fault| self.broken(&fault))?;
        // The driver moves the bytes of both directions; it ends with the answer that holds it.
        let driver = Driver(tokio::spawn(async move {
            // What goes wrong on the line, the answer tells as well.
            driver.await.ok();
        }));
        let response = sender.send_request(request).await.map_err(|fault| self.broken(&fault))?;
        Ok(Reply { response, _driver: driver })
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Result<Request<Body>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, connect::host_header(&self.server().address))
            .header(USER_AGENT, concat!("paas/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*");
        if !hyper::body::Body::is_end_stream(&body) {
            let json = hyper::body::Body::size_hint(&body).exact().is_some();
            let kind = if json { "application/json" } else { "application/gzip" };
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(token) = &self.server.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        request
            .body(body)
            .map_err(|fault| Failure::local("the request cannot be written").because(fault))
    }

    /// The server answered nothing in time.
    fn silent(&self, limit: Duration) -> Failure {
        Failure::unreachable(format!("no answer from {}", self.address()))
            .because(format!("it said nothing for {} s", limit.as_secs()))
            .hint("see the daemon's log: `journalctl -u paas -n 50`")
    }

    /// The connection ended before the answer did.
    fn broken(&self, fault: &(dyn std::error::Error + 'static)) -> Failure {
        broken(&self.address(), fault)
    }
}

/// The connection to `address` ended before the answer did.
fn broken(address: &str, fault: &(dyn std::error::Error + 'static)) -> Failure {
    let mut root = fault;
    while let Some(source) = root.source() {
        root = source;
    }
    Failure::unreachable(format!("the connection to {address} broke"))
        .because(root)
        .hint("is the daemon running? `systemctl status paas`; see `journalctl -u paas -n 50`")
}

/// A response, and the task that moves its bytes.
struct Reply {
    response: Response<Incoming>,
    _driver: Driver,
}

/// Ends the task with its owner, so that nothing outlives a command.
#[derive(Debug)]
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn json<T: Serialize>(description: &T) -> Result<Body, Failure> {
    let json = serde_json::to_vec(description)
        .map_err(|fault| Failure::local("the request cannot be written").because(fault))?;
    Ok(Full::new(Bytes::from(json)).map_err(never).boxed_unsync())
}

fn nothing() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

/// An answer that needs no upload: the slowest waits for the container engine.
const ANSWER: Duration = Duration::from_secs(30);
/// An answer for which the server asks others: its own patience with them, and some more.
const LONG: Duration = Duration::from_mins(20);
/// An upload in which nothing moves, or a server that unpacks it.
const STALL: Duration = Duration::from_mins(1);
