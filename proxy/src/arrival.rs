//! Who asked, by which way and when: what a client says of it, and what we say instead.
//!
//! It decides whom to believe, not what to do with it. The invariant: an upstream sees what a
//! stranger claims about its own address in no field that we know.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::digits::put_number;
use crate::field::{Field, Fields, put};
use crate::forwarded::{self, Way};
use crate::head::Malformed;
use crate::request_id::RequestId;
use crate::tls::Session;

/// What may be believed of what a peer says about others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Its forwarding fields are replaced.
    Stranger,
    /// A proxy of ours in front: its forwarding fields are kept and added to.
    Trusted,
}

/// How a connection came to us.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    /// Its address as text, which every head says several times.
    address: Box<str>,
    pub(crate) local_port: u16,
    pub(crate) trust: Trust,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// What the handshake ended with, on TLS listeners.
    pub(crate) tls: Option<Arc<Session>>,
}

impl Arrival {
    /// A connection without TLS.
    pub(crate) fn plain(peer: SocketAddr, local_port: u16, trust: Trust) -> Self {
        Self { peer, address: spelt(peer), local_port, trust, scheme: "http", tls: None }
    }

    /// Notes that the peer spoke for another.
    pub(crate) fn sent_by(&mut self, client: SocketAddr, trust: Trust) {
        (self.peer, self.address, self.trust) = (client, spelt(client), trust);
    }
}

fn spelt(peer: SocketAddr) -> Box<str> {
    peer.ip().to_canonical().to_string().into()
}

/// Whether the client speaks TLS, with us or with a trusted proxy in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secure {
    Yes,
    No,
}

/// The fields that say something to us, picked out in one pass.
#[derive(Default)]
pub(crate) struct Known<'b> {
    pub(crate) host: Option<&'b [u8]>,
    pub(crate) expect: Option<&'b [u8]>,
    pub(crate) id: Option<RequestId>,
    pub(crate) max_forwards: Option<&'b [u8]>,
    forwarded: Vec<&'b [u8]>,
    forwarded_for: Vec<&'b [u8]>,
    real_ip: Option<&'b [u8]>,
    proto: Option<&'b [u8]>,
    forwarded_host: Option<&'b [u8]>,
    port: Option<&'b [u8]>,
    start: Option<&'b [u8]>,
}

impl<'b> Known<'b> {
    pub(crate) fn pick(fields: &Fields<'_, 'b>) -> Result<Self, Malformed> {
        let mut known = Self::default();
        for (name, field) in fields.iter() {
            let value = field.value;
            match name {
                Field::Host if known.host.replace(value).is_some() => {
                    return Err(Malformed::HostRepeated);
                }
                Field::Expect => known.expect = Some(value),
                Field::RequestId => known.id = RequestId::keep(value),
                Field::MaxForwards if known.max_forwards.replace(value).is_some() => {
                    return Err(Malformed::ReachRepeated);
                }
                Field::Forwarded => known.forwarded.push(value),
                Field::ForwardedFor => known.forwarded_for.push(value),
                Field::RealIp => known.real_ip = Some(value),
                Field::ForwardedProto => known.proto = Some(value),
                Field::ForwardedHost => known.forwarded_host = Some(value),
                Field::ForwardedPort => known.port = Some(value),
                Field::RequestStart => known.start = Some(value),
                _ => {}
            }
        }
        Ok(known)
    }

    /// Forgets what a stranger says about others.
    pub(crate) fn distrust(&mut self) {
        self.forwarded.clear();
        self.forwarded_for.clear();
        (self.real_ip, self.proto, self.forwarded_host) = (None, None, None);
        (self.port, self.start) = (None, None);
    }

    /// The addresses the request came through before its peer, nearest first.
    pub(crate) fn hops(&self) -> Box<[IpAddr]> {
        forwarded::hops(&self.forwarded_for, &self.forwarded)
    }

    pub(crate) fn secure(&self, arrival: &Arrival) -> Secure {
        let proto = self.proto.unwrap_or(arrival.scheme.as_bytes());
        if proto.eq_ignore_ascii_case(b"https") { Secure::Yes } else { Secure::No }
    }
}

/// Who asked, by which way and when.
pub(crate) fn put_arrival(
    known: &Known<'_>,
    hops: &[IpAddr],
    arrival: &Arrival,
    at: SystemTime,
    authority: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"X-Forwarded-For: ");
    for value in &known.forwarded_for {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
    if known.forwarded_for.is_empty() {
        // A peer that tells the way as `Forwarded` gets it told in these words too.
        for hop in hops.iter().rev() {
            // Writing to a `Vec` cannot fail.
            let _ = write!(out, "{hop}, ");
        }
    }
    let peer = &*arrival.address;
    out.extend_from_slice(peer.as_bytes());
    out.extend_from_slice(b"\r\n");
    put(out, "X-Real-IP", known.real_ip.unwrap_or(peer.as_bytes()));
    let host = known.forwarded_host.unwrap_or(authority.as_bytes());
    let proto = known.proto.unwrap_or(arrival.scheme.as_bytes());
    Way { said: &known.forwarded, hops, peer, host, proto }.put(out);
    put(out, "X-Forwarded-Proto", proto);
    put(out, "X-Forwarded-Host", host);
    match known.port {
        Some(value) => put(out, "X-Forwarded-Port", value),
        None => {
            out.extend_from_slice(b"X-Forwarded-Port: ");
            put_number(out, arrival.local_port.into());
            out.extend_from_slice(b"\r\n");
        }
    }
    match known.start {
        Some(value) => put(out, "X-Request-Start", value),
        None => {
            out.extend_from_slice(b"X-Request-Start: t=");
            put_number(out, millis(at));
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Milliseconds since 1970, and 0 before.
fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1000 + u64::from(since.subsec_millis())
}
