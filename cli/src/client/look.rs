//! One look at a page as a visitor has it: the name is resolved here, a connection made, TLS spoken, and the
//! page asked for once. Each step says what it took.
//!
//! The certificate is not judged, since a page behind a wrong one is what somebody may be looking for;
//! nothing secret is sent, and of the answer only the head is read.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request,
    client::conn::http1,
    header::{HOST, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{Error, crypto::CryptoProvider};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    connect::Io,
    tls::{Judge, Presented, shake_hands},
};

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Whether TLS is spoken.
    pub(crate) scheme: Scheme,
    /// The host, without its port.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// The path and query.
    pub(crate) path: String,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HTTP.
    Plain,
    /// HTTP over TLS.
    Tls,
}

/// What was seen, step by step; the last one may have failed, and then there are no more.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// In the order of time.
    pub(crate) steps: Vec<Seen>,
    /// Where the name leads from here.
    pub(crate) addresses: Vec<IpAddr>,
    /// The status of the answer, and where it redirects to.
    pub(crate) answer: Option<(u16, Option<String>)>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which.
    pub(crate) step: Step,
    /// What came of it; an error is why it failed.
    pub(crate) fact: Result<String, String>,
    /// What it took.
    pub(crate) took: Duration,
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The name's addresses.
    Resolve,
    /// A connection to one of them.
    Connect,
    /// TLS.
    Handshake,
    /// The answer.
    Answer,
}

impl Page {
    /// From a URL as the server writes it.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = match url.split_once("://")? {
            ("http", rest) => (Scheme::Plain, rest),
            ("https", rest) => (Scheme::Tls, rest),
            _ => return None,
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let usual = if scheme == Scheme::Tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, usual),
        };
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        Some(Self { scheme, host: host.to_owned(), port, path })
    }

    /// Looks once.
    pub(crate) async fn look(&self) -> Sight {
        let mut sight = Sight::default();
        self.walk(&mut sight).await;
        sight
    }

    /// As far as it goes.
    async fn walk(&self, sight: &mut Sight) -> Option<()> {
        let (steps, began) = (&mut sight.steps, Instant::now());
        let addresses = note(steps, Step::Resolve, began, self.resolve().await, |found| {
            let shown: Vec<String> = found.iter().map(|at| at.ip().to_string()).collect();
            format!("{} leads to {}", self.host, shown.join(", "))
        })?;
        sight.addresses = addresses.iter().map(SocketAddr::ip).collect();
        let began = Instant::now();
        let connecting = in_time(CONNECT, TcpStream::connect(&*addresses)).await;
        let stream = note(steps, Step::Connect, began, connecting, |stream| {
            let peer = stream.peer_addr().map(|at| at.to_string()).unwrap_or_default();
            format!("connected to {peer}")
        })?;
        let stream: Box<dyn Io> = match self.scheme {
            Scheme::Plain => Box::new(stream),
            Scheme::Tls => {
                let began = Instant::now();
                let shaken =
                    in_time(CONNECT, shake_hands(&self.host, stream, Arc::new(Anybody))).await;
                Box::new(note(steps, Step::Handshake, began, shaken, |_| "spoke TLS".to_owned())?)
            }
        };
        let began = Instant::now();
        let answer = in_time(ANSWER, self.ask(stream)).await;
        sight.answer = Some(note(steps, Step::Answer, began, answer, |(status, to)| {
            let to = to.as_ref().map_or_else(String::new, |to| format!(", to {to}"));
            format!("GET {} is answered with {status}{to}", self.path)
        })?);
        Some(())
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        // Browsers know these names by themselves (RFC 6761 section 6.3); resolvers may not.
        if self.host.ends_with(".localhost") || self.host == "localhost" {
            return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))]);
        }
        let found = in_time(CONNECT, tokio::net::lookup_host((&*self.host, self.port))).await?;
        let found: Vec<SocketAddr> = found.collect();
        let none = || io::Error::other("it has no address");
        if found.is_empty() { Err(none()) } else { Ok(found) }
    }

    async fn ask(&self, stream: Box<dyn Io>) -> io::Result<(u16, Option<String>)> {
        let usual = matches!((self.scheme, self.port), (Scheme::Plain, 80) | (Scheme::Tls, 443));
        let host = if usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) };
        let request = Request::get(&*self.path)
            .header(HOST, host)
            .header(USER_AGENT, "paas-why")
            .header("connection", "close")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(io::Error::other)?;
        tokio::pin!(connection);
        let asking = sender.send_request(request);
        tokio::pin!(asking);
        let answer = tokio::select! {
            biased;
            answer = &mut asking => answer,
            // The connection may be done before its answer has been picked up.
            ended = &mut connection => match ended {
                Ok(()) => asking.await,
                Err(error) => Err(error),
            },
        };
        let answer = answer.map_err(io::Error::other)?;
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        Ok((answer.status().as_u16(), to.map(str::to_owned)))
    }
}

/// Notes what came of a step, and hands on what it brought.
fn note<T>(
    steps: &mut Vec<Seen>,
    step: Step,
    began: Instant,
    outcome: io::Result<T>,
    tell: impl FnOnce(&T) -> String,
) -> Option<T> {
    let fact = outcome.as_ref().map(tell).map_err(|error| {
        let root = std::error::Error::source(error).map(ToString::to_string);
        root.map_or_else(|| error.to_string(), |root| format!("{error}: {root}"))
    });
    steps.push(Seen { step, fact, took: began.elapsed() });
    outcome.ok()
}

async fn in_time<T>(most: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let expired =
        |_| io::Error::new(io::ErrorKind::TimedOut, format!("nothing within {} s", most.as_secs()));
    timeout(most, doing).await.map_err(expired)?
}

/// Believes anybody.
#[derive(Debug)]
struct Anybody;

impl Judge for Anybody {
    fn judge(&self, _: Presented<'_>, _: &Arc<CryptoProvider>) -> Result<(), Error> {
        Ok(())
    }
}

/// For name, connection and handshake each.
const CONNECT: Duration = Duration::from_secs(5);
/// The edge holds a request for up to 15 s.
const ANSWER: Duration = Duration::from_secs(20);
