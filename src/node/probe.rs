//! One look at whether an instance can serve: a TCP connection, or an HTTP request. How often it
//! looks and what a failure leads to is control's affair.
//!
//! An instance is a stranger: of its answer only so much is read as the question needs, redirects are not
//! followed, and it has one time limit for all of it.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1,
    header::{HOST, USER_AGENT},
    http::request,
};
use hyper_util::rt::TokioIo;
use proxy::door;
use tokio::{net::TcpStream, time::timeout};

use crate::model::{HealthCheck, HttpProtocol};

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// Where it shall listen.
    pub at: SocketAddr,
    /// Whether that is a [`door`] to it.
    pub door: bool,
    /// What it is asked by.
    pub protocol: HttpProtocol,
    /// What the request names as its host, unless the check does: an app may refuse names it does not
    /// know.
    pub host: String,
    /// What is asked, when an answer is good, and the longest wait for connection and answer together.
    pub check: HealthCheck,
}

/// Why an instance is not ready; the text is for people.
#[derive(Debug, thiserror::Error)]
pub enum ProbeFailure {
    /// Nobody listens.
    #[error("connection refused on port {port}")]
    Refused {
        /// Where.
        port: u16,
    },
    /// The connection failed in another way.
    #[error("no connection to port {port}")]
    Connect {
        /// Where.
        port: u16,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It is on another machine, to which there is no door any more.
    #[error("its machine is not reached")]
    Away,
    /// It is on another machine, and nobody lets anybody in there.
    #[error("nothing answers at its port on its machine")]
    Afar,
    /// Too slow.
    #[error("no answer within {} s", .after.as_secs_f64())]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// It answered, and not well.
    #[error("answered {status} to GET {path}")]
    Status {
        /// The status.
        status: u16,
        /// What was asked for.
        path: String,
    },
    /// It answered, and not what it should.
    #[error("the answer to GET {path} does not contain `{text}`")]
    Body {
        /// What was asked for.
        path: String,
        /// What is missing.
        text: String,
    },
    /// It closed the connection, or spoke something else than HTTP.
    #[error("no HTTP answer to GET {path}")]
    Http {
        /// What was asked for.
        path: String,
        /// What happened.
        #[source]
        source: hyper::Error,
    },
    /// It closed the connection, or does not speak HTTP/2 without being asked to.
    #[error("no HTTP/2 answer to GET {path}")]
    Http2 {
        /// What was asked for.
        path: String,
        /// What happened.
        #[source]
        source: h2::Error,
    },
    /// The path or host cannot be put into a request.
    #[error("`{path}` cannot be asked for")]
    Request {
        /// What was to be asked for.
        path: String,
        /// What is wrong with it.
        #[source]
        source: hyper::http::Error,
    },
}

impl ProbeFailure {
    /// Whether nothing was heard of it that could be called an answer.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Connect { .. }
            | Self::Away
            | Self::Afar
            | Self::Timeout { .. } => true,
            Self::Http { source, .. } => !source.is_parse(),
            Self::Http2 { source, .. } => source.is_io(),
            Self::Status { .. } | Self::Body { .. } | Self::Request { .. } => false,
        }
    }
}

/// Looks once.
pub async fn probe(target: &ProbeTarget) -> Result<(), ProbeFailure> {
    let after = target.check.timeout;
    match timeout(after, look(target)).await {
        Ok(seen) => seen,
        Err(_) => Err(ProbeFailure::Timeout { after }),
    }
}

async fn look(target: &ProbeTarget) -> Result<(), ProbeFailure> {
    let connection = connect(target).await?;
    let Some(path) = &target.check.path else { return Ok(()) };
    let page = Page {
        path,
        host: target.check.host.as_ref().unwrap_or(&target.host),
        check: &target.check,
    };
    match target.protocol {
        HttpProtocol::Http1 => page.ask(connection).await,
        HttpProtocol::H2c => page.ask_http2(connection).await,
    }
}

async fn connect(target: &ProbeTarget) -> Result<TcpStream, ProbeFailure> {
    let port = target.at.port();
    let connected = TcpStream::connect(target.at).await;
    let mut connection = connected.map_err(|source| match source.kind() {
        // The port of a door says nothing to anybody.
        _ if target.door => ProbeFailure::Away,
        io::ErrorKind::ConnectionRefused => ProbeFailure::Refused { port },
        _ => ProbeFailure::Connect { port, source },
    })?;
    if target.door {
        door::enter(&mut connection).await.map_err(|_| ProbeFailure::Afar)?;
    }
    Ok(connection)
}

/// A page that is asked for.
struct Page<'a> {
    path: &'a str,
    host: &'a str,
    check: &'a HealthCheck,
}

impl Page<'_> {
    /// Sends one request and reads as much of the answer as is needed; the connection is then dropped.
    async fn ask(&self, connection: TcpStream) -> Result<(), ProbeFailure> {
        let request = self
            .request(Request::get(self.path).header(HOST, self.host))
            .header("connection", "close")
            .body(Empty::<Bytes>::new())
            .map_err(|source| ProbeFailure::Request { path: self.path.to_owned(), source })?;
        let failed = |source| ProbeFailure::Http { path: self.path.to_owned(), source };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(connection)).await.map_err(failed)?;
        let exchange = async {
            let answer: Response<Incoming> = sender.send_request(request).await?;
            let (head, mut body) = answer.into_parts();
            let mut read = Beginning::of(self.check.body.as_deref());
            while read.wants_more() {
                let Some(frame) = body.frame().await else { break };
                read.take(frame?.data_ref().map_or(&[][..], |data| data));
            }
            Ok((head.status.as_u16(), read.is_found()))
        };
        let (status, found) = driven(connection, exchange).await.map_err(failed)?;
        self.judge(status, found)
    }

    /// The same over HTTP/2 with prior knowledge (RFC 9113 section 3.3), as the edge speaks to it.
    async fn ask_http2(&self, connection: TcpStream) -> Result<(), ProbeFailure> {
        let request = self
            .request(Request::get(format!("http://{}{}", self.host, self.path)))
            .body(())
            .map_err(|source| ProbeFailure::Request { path: self.path.to_owned(), source })?;
        let failed = |source| ProbeFailure::Http2 { path: self.path.to_owned(), source };
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).max_header_list_size(MOST_HEAD);
        let handshake = builder.handshake::<_, Bytes>(connection).await;
        let (sender, connection) = handshake.map_err(failed)?;
        let exchange = async {
            let mut sender = sender.ready().await?;
            let (head, mut body) = sender.send_request(request, true)?.0.await?.into_parts();
            let mut read = Beginning::of(self.check.body.as_deref());
            while read.wants_more() {
                let Some(data) = body.data().await else { break };
                let data = data?;
                // The window is as large as what is read at most, so that it need not be given back.
                read.take(&data);
            }
            Ok((head.status.as_u16(), read.is_found()))
        };
        let (status, found) = driven(connection, exchange).await.map_err(failed)?;
        self.judge(status, found)
    }

    fn request(&self, mut request: request::Builder) -> request::Builder {
        request = request.header(USER_AGENT, AGENT);
        for (name, value) in &self.check.headers {
            request = request.header(name, value);
        }
        request
    }

    fn judge(&self, status: u16, found: bool) -> Result<(), ProbeFailure> {
        let path = self.path.to_owned();
        if !self.check.status.include(status) {
            return Err(ProbeFailure::Status { status, path });
        }
        match &self.check.body {
            Some(text) if !found => Err(ProbeFailure::Body { path, text: text.clone() }),
            Some(_) | None => Ok(()),
        }
    }
}

/// The beginning of a body, in which a text is looked for.
struct Beginning<'a> {
    text: &'a [u8],
    read: Vec<u8>,
    found: bool,
}

impl<'a> Beginning<'a> {
    fn of(text: Option<&'a str>) -> Self {
        let text = text.unwrap_or_default().as_bytes();
        Self { text, read: Vec::new(), found: text.is_empty() }
    }

    fn wants_more(&self) -> bool {
        !self.found && self.read.len() < MOST_BODY
    }

    fn is_found(&self) -> bool {
        self.found
    }

    /// Takes the next bytes; the text may stand across two portions.
    fn take(&mut self, data: &[u8]) {
        let from = self.read.len().saturating_sub(self.text.len());
        let room = MOST_BODY.saturating_sub(self.read.len());
        self.read.extend(data.iter().take(room));
        let new = self.read.get(from..).unwrap_or_default();
        self.found |= new.windows(self.text.len().max(1)).any(|window| window == self.text);
    }
}

/// What comes of an exchange on a connection that has to be polled beside it.
async fn driven<T, E>(
    connection: impl Future<Output = Result<(), E>>,
    exchange: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::pin!(connection, exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The connection may be done before its answer has been picked up.
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error),
        },
    }
}

/// Bytes of the head of an answer.
const MOST_HEAD: u32 = 64 * 1024;
/// Bytes of a body that are read at most; HTTP/2 sends so many unasked (RFC 9113 section 6.9.2).
const MOST_BODY: usize = 65_535;
/// What an app's access log shows.
const AGENT: &str = "paas-health";

#[cfg(test)]
mod tests;
