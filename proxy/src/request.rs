//! A request: what the edge must know of it, and how it is read from HTTP/1.1.
//!
//! It opens no connection and reads no body; what a head may say is `request_head`'s business. The
//! invariant: no byte of a head that is not valid reaches an upstream.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::time::SystemTime;

use httparse::Status;

use crate::arrival::{Arrival, Secure};
use crate::body::Body;
use crate::control::{Persistence, Version};
use crate::field::{Fields, MOST_FIELDS};
use crate::head::Malformed;
use crate::host::Host;
use crate::limits::Limits;
use crate::pages::Part;
use crate::refusal::Refusal;
use crate::request_head::{Frame, Head};
use crate::request_id::RequestId;
use crate::target::Target;

/// What the edge must know of a request after its head was written for the upstream.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Cow<'static, str>,
    pub(crate) host: Host,
    pub(crate) path: Box<str>,
    pub(crate) version: Version,
    pub(crate) persistence: Persistence,
    pub(crate) body: Body,
    /// The `Upgrade` value that was passed on.
    pub(crate) upgrade: Option<Box<str>>,
    pub(crate) id: RequestId,
    /// The addresses it came through before the peer, nearest first; empty unless the peer is
    /// trusted. [`crate::forwarded::client`] says whom to believe.
    pub(crate) hops: Box<[IpAddr]>,
    pub(crate) secure: Secure,
    pub(crate) reach: Reach,
}

/// How far a request goes (`Max-Forwards`, RFC 9110 section 7.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Upstream,
    /// We are who it is meant for.
    Edge,
}

impl Request {
    /// Reads a whole head (with its empty line) and appends the head for the upstream to `out`.
    pub(crate) fn read(
        head: &[u8],
        arrival: &Arrival,
        at: SystemTime,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Self, Refusal> {
        let line = memchr::memchr(b'\r', head).unwrap_or(head.len());
        if line > limits.request_line {
            return Err(Refusal::TargetTooLong);
        }
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(head, &mut fields) {
            Ok(Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Refusal::Malformed(Malformed::FirstLine)),
            Err(error) => {
                return match as_ours(head, line) {
                    Some(head) => Self::read(&head, arrival, at, limits, out),
                    None => Err(refusal(error, head)),
                };
            }
        }
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(Refusal::Malformed(Malformed::FirstLine));
        };
        if method == "CONNECT" {
            return Err(Refusal::Method);
        }
        let version = Version::of(parsed.version);
        let target = Target::parse(target, method).map_err(Refusal::Malformed)?;
        let (fields, frame) = (Fields::of(parsed.headers), Frame::Fields);
        Head { method, target, version, frame, fields }.understand(arrival, at, out)
    }

    /// Whether doing it twice is doing it once (RFC 9110 section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE")
    }

    pub(crate) fn part(&self) -> Part {
        if &*self.method == "HEAD" { Part::Head } else { Part::Whole }
    }
}

/// The head of a later HTTP/1, as which it may be read (RFC 9110 section 2.5). Its first line ends
/// at `line`.
fn as_ours(head: &[u8], line: usize) -> Option<Vec<u8>> {
    let minor = line.checked_sub(1)?;
    if !matches!(head.get(minor)?, b'2'..=b'9') || !head.get(..minor)?.ends_with(b" HTTP/1.") {
        return None;
    }
    let mut head = head.to_vec();
    *head.get_mut(minor)? = b'1';
    Some(head)
}

fn refusal(error: httparse::Error, head: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::HeadTooLong,
        httparse::Error::Version if names_a_version(head) => Refusal::Version,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => {
            Refusal::Malformed(Malformed::Field)
        }
        httparse::Error::NewLine => Refusal::Malformed(Malformed::LineEnd),
        httparse::Error::Version | httparse::Error::Status | httparse::Error::Token => {
            Refusal::Malformed(Malformed::FirstLine)
        }
    }
}

/// Whether the third word of the first line is some version of HTTP, only not one of ours.
fn names_a_version(head: &[u8]) -> bool {
    let version = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = version.split(|byte| *byte == b' ').nth(2).unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::arrival::Trust;

    fn read(head: &str, trust: Trust) -> (Result<Request, u16>, String) {
        let peer = "192.0.2.9:5000".parse().unwrap();
        let arrival = Arrival::plain(peer, 80, trust);
        let at = UNIX_EPOCH + Duration::from_millis(1500);
        let mut out = Vec::new();
        let found = Request::read(head.as_bytes(), &arrival, at, &Limits::default(), &mut out);
        (found.map_err(|refusal| refusal.status()), String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_head_is_written_anew() {
        let head = "GET /a?b=%20 HTTP/1.1\r\nHost: A.example:8080\r\nX-Forwarded-For: 6.6.6.6\r\n\
                    Connection: keep-alive, X-Secret, X-Forwarded-For, Host\r\nX-Secret: 1\r\n\
                    Keep-Alive: 5\r\nTE: trailers\r\nX_Real_IP: 6.6.6.6\r\nCookie: c=1\r\n\
                    Forwarded: for=6.6.6.6\r\nX-Request-Id: abc\r\n\r\n";
        let (request, out) = read(head, Trust::Stranger);
        assert_eq!(request.unwrap().host.as_str(), "a.example");
        assert_eq!(
            out,
            "GET /a?b=%20 HTTP/1.1\r\nHost: A.example:8080\r\nCookie: c=1\r\n\
             X-Forwarded-For: 192.0.2.9\r\nX-Real-IP: 192.0.2.9\r\n\
             Forwarded: for=192.0.2.9;host=\"A.example:8080\";proto=http\r\n\
             X-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: A.example:8080\r\nX-Forwarded-Port: 80\r\n\
             X-Request-Start: t=1500\r\nX-Request-Id: abc\r\nVia: 1.1 edge\r\n\r\n"
        );
    }

    #[test]
    fn a_trusted_peer_is_believed() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\
                    X-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\n\r\n";
        let (_, out) = read(head, Trust::Trusted);
        assert!(out.contains("X-Forwarded-For: 6.6.6.6, 192.0.2.9\r\nX-Real-IP: 6.6.6.6\r\n"));
        assert!(out.contains("X-Forwarded-Proto: https\r\n"));
    }

    #[test]
    fn an_upgrade_is_passed_on_only_if_it_can_become_a_tunnel() {
        let ask = |token: &str, more: &str| {
            let head = format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {token}\r\n{more}\r\n"
            );
            read(&head, Trust::Stranger).0.unwrap().upgrade
        };
        assert_eq!(ask("websocket", "").as_deref(), Some("websocket"));
        assert_eq!(ask("h2c", ""), None);
        assert_eq!(ask("websocket, H2C", ""), None);
        assert_eq!(ask("websocket", "Content-Length: 3\r\n"), None);
    }

    #[test]
    fn a_tunnel_to_anywhere_is_not_served() {
        assert_eq!(
            read("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Trust::Stranger).0.err(),
            Some(501)
        );
    }
}
