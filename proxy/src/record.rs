//! What became of one request, as plain data for the access log and the figures.
//!
//! It is filled in while the request is served, by whoever learns something, and decides nothing.
//! Text is only noted when somebody reads the log.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use crate::arrival::Arrival;
use crate::forwarded;
use crate::network::Network;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::table::{ServiceName, UpstreamId};

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Record {
    /// When its head had arrived.
    pub at: SystemTime,
    /// Who is at the other end of the connection.
    pub peer: SocketAddr,
    /// Who asked: the peer, or whom trusted proxies name.
    pub client: IpAddr,
    /// `HTTP/1.1`, for example; empty if the head was not understood.
    pub version: &'static str,
    /// `TLSv1.3`, for example; `None` without TLS.
    pub tls: Option<&'static str>,
    /// Empty if the head was not understood; so are `host` and `path`.
    pub method: Box<str>,
    /// The host in its canonical spelling.
    pub host: Box<str>,
    /// Path and query, as sent.
    pub path: Box<str>,
    /// `User-Agent`, with what is not UTF-8 replaced; empty if there is none.
    pub agent: Box<str>,
    /// `Referer`, likewise.
    pub referer: Box<str>,
    /// The id in `X-Request-Id`, on both sides.
    pub request_id: Box<str>,
    /// Who was routed to, if anybody.
    pub service: Option<ServiceName>,
    /// The last upstream tried.
    pub upstream: Option<UpstreamId>,
    /// The status the client was sent; `None` if it got no answer.
    pub status: Option<u16>,
    /// Body bytes received, without framing.
    pub received: u64,
    /// Body bytes sent by the upstream and passed on, without framing; in a tunnel, all of them.
    pub sent: u64,
    /// Time held while the service had no upstream.
    pub held: Duration,
    /// Time until an upstream connection was ready, retries included.
    pub connected: Option<Duration>,
    /// Time until the head of the answer had arrived.
    pub first_byte: Option<Duration>,
    /// Time until all was done.
    pub total: Duration,
    /// How often it was sent again.
    pub retries: u32,
    /// Why the edge answered in the upstream's place.
    pub refusal: Option<Box<str>>,
    /// Why the exchange ended before its end.
    pub abort: Option<Abort>,
}

impl Record {
    /// Of a request of which nothing is known but when it came and from where.
    pub fn new(at: SystemTime, peer: SocketAddr) -> Self {
        Self {
            at,
            peer,
            client: peer.ip().to_canonical(),
            version: "",
            tls: None,
            method: Box::default(),
            host: Box::default(),
            path: Box::default(),
            agent: Box::default(),
            referer: Box::default(),
            request_id: Box::default(),
            service: None,
            upstream: None,
            status: None,
            received: 0,
            sent: 0,
            held: Duration::ZERO,
            connected: None,
            first_byte: None,
            total: Duration::ZERO,
            retries: 0,
            refusal: None,
            abort: None,
        }
    }

    /// Of a request on this connection whose head is not understood yet.
    pub(crate) fn begun(at: SystemTime, arrival: &Arrival) -> Self {
        let tls = arrival.tls.as_ref().map(|session| session.version);
        Self { tls, ..Self::new(at, arrival.peer) }
    }

    /// Notes what was asked for.
    pub(crate) fn understood(&mut self, request: &Request) {
        self.version = request.version.name();
        self.method = (&*request.method).into();
        self.path.clone_from(&request.path);
        self.host = request.host.as_str().into();
    }

    /// Notes who asked and with what, from the head as it went to the upstream.
    pub(crate) fn described(&mut self, request: &Request, head: &[u8], trusted: &[Network]) {
        self.client = forwarded::client(self.client, &request.hops, trusted);
        for line in head.split(|byte| *byte == b'\n').skip(1) {
            if let Some(value) = value_of(line, b"User-Agent:") {
                self.agent = value;
            } else if let Some(value) = value_of(line, b"Referer:") {
                self.referer = value;
            }
        }
    }

    /// Notes that the edge answered itself.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.status = Some(refusal.status());
        self.refusal = Some(refusal.words().title.into_boxed_str());
    }

    /// Whether somebody will ask what happened here.
    pub(crate) fn is_remarkable(&self) -> bool {
        self.abort.is_some() || self.status.is_none_or(|status| status >= 500)
    }
}

fn value_of(line: &[u8], name: &[u8]) -> Option<Box<str>> {
    let (found, value) = line.split_at_checked(name.len())?;
    let named = found.eq_ignore_ascii_case(name);
    named.then(|| String::from_utf8_lossy(value.trim_ascii()).into())
}

/// Why an exchange ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The client closed or reset its connection.
    ClientGone,
    /// The client's body turned out to be malformed while the answer was on its way.
    ClientMalformed,
    /// The client sent or took no byte for too long.
    ClientStalled,
    /// The upstream closed or reset its connection in the middle of the answer.
    UpstreamClosed,
    /// The upstream's answer turned out to be malformed after its head.
    UpstreamMalformed,
    /// The upstream sent no byte for too long.
    UpstreamStalled,
    /// A tunnel was silent for too long.
    TunnelIdle,
}
