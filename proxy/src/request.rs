//! A request head: checked, understood, and written anew for the upstream.
//!
//! It opens no connection and reads no body. The invariant: what is written depends on the bytes
//! only through the parsed form, so an upstream can read it in one way only, ours.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::time::SystemTime;

use httparse::Status;

use crate::arrival::{Arrival, Known, Secure, Trust, put_arrival};
use crate::body::Body;
use crate::control::{Control, Length, Persistence, Version};
use crate::digits::put_number;
use crate::field::{Field, Fields, MOST_FIELDS, put};
use crate::head::Malformed;
use crate::host::Host;
use crate::limits::Limits;
use crate::pages::Part;
use crate::refusal::Refusal;
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
            Err(error) => return Err(refusal(error, head)),
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

/// A head that was taken apart, from whatever it was sent in.
#[derive(Debug)]
pub(crate) struct Head<'h, 'b> {
    pub(crate) method: &'b str,
    pub(crate) target: Target<'b>,
    pub(crate) version: Version,
    pub(crate) frame: Frame<'b>,
    pub(crate) fields: Fields<'h, 'b>,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'b> {
    /// By the fields of the head.
    Fields,
    /// The stream has ended with its head.
    Ended,
    /// The stream ends with the body.
    Open,
    /// There is no body: the stream becomes a tunnel for this protocol (RFC 8441).
    Tunnel(&'b str),
}

impl Head<'_, '_> {
    /// Checks it, and appends the head for the upstream to `out`.
    pub(crate) fn understand(
        &self,
        arrival: &Arrival,
        at: SystemTime,
        out: &mut Vec<u8>,
    ) -> Result<Request, Refusal> {
        let mut known = Known::pick(&self.fields).map_err(Refusal::Malformed)?;
        let control = Control::read(self.version, &self.fields).map_err(Refusal::Malformed)?;
        let (host, authority) = self.host(known.host).map_err(Refusal::Malformed)?;
        if known.expect.is_some_and(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
            return Err(Refusal::Expectation);
        }
        if arrival.trust == Trust::Stranger {
            known.distrust();
        }
        let (body, length) = self.body(control.length).map_err(Refusal::Malformed)?;
        let upgrade = match self.frame {
            Frame::Tunnel(protocol) => Some(protocol),
            Frame::Fields => control.upgrade.filter(|token| self.may_upgrade(token, body)),
            Frame::Ended | Frame::Open => None,
        };
        let id = known.id.take().unwrap_or_else(RequestId::fresh);

        let path = [self.target.prefix, self.target.path].concat();
        // A tunnel through HTTP/1.1 is asked for with GET (RFC 9110 section 7.8).
        let method = if matches!(self.frame, Frame::Tunnel(_)) { "GET" } else { self.method };
        for part in [method, " ", &path, " HTTP/1.1\r\nHost: ", authority, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        self.put_fields(&control, out);
        let reach = self.put_reach(known.max_forwards, out);
        put_length(length, out);
        if let Some(token) = upgrade {
            put(out, "Connection", b"upgrade");
            put(out, "Upgrade", token.as_bytes());
        }
        let hops = known.hops();
        put_arrival(&known, &hops, arrival, at, authority, out);
        put(out, "X-Request-Id", id.as_bytes());
        put(out, "Via", via(self.version));
        out.extend_from_slice(b"\r\n");

        Ok(Request {
            method: kept(self.method),
            host,
            path: path.into_boxed_str(),
            version: self.version,
            persistence: control.persistence,
            body,
            upgrade: upgrade.map(Box::from),
            id,
            hops,
            secure: known.secure(arrival),
            reach,
        })
    }

    /// How the body is read, and what the upstream is told of its length.
    fn body(&self, said: Length) -> Result<(Body, Length), Malformed> {
        match (self.frame, said) {
            (Frame::Tunnel(_), Length::Unsaid) => Ok((Body::EMPTY, said)),
            (Frame::Tunnel(_), Length::Sized(_) | Length::Chunked) => Err(Malformed::Length),
            (Frame::Fields | Frame::Ended, Length::Unsaid) => Ok((Body::EMPTY, said)),
            (Frame::Ended, Length::Sized(1..)) => Err(Malformed::Length),
            (Frame::Open, Length::Unsaid) => Ok((Body::UntilClose, Length::Chunked)),
            (_, Length::Sized(size)) => Ok((Body::Sized(size), said)),
            (Frame::Fields, Length::Chunked) => Ok((Body::CHUNKED, said)),
            (Frame::Ended | Frame::Open, Length::Chunked) => Err(Malformed::Coding),
        }
    }

    /// Only for the two methods that probe the way is the value ours to count down.
    fn put_reach(&self, value: Option<&[u8]>, out: &mut Vec<u8>) -> Reach {
        let Some(value) = value else { return Reach::Upstream };
        if !matches!(self.method, "TRACE" | "OPTIONS") {
            put(out, "Max-Forwards", value);
            return Reach::Upstream;
        }
        match std::str::from_utf8(value).ok().and_then(|digits| digits.parse::<u32>().ok()) {
            Some(0) => return Reach::Edge,
            Some(left) => put(out, "Max-Forwards", (left - 1).to_string().as_bytes()),
            // Nobody could count it down.
            None => {}
        }
        Reach::Upstream
    }

    /// The host, and the authority as the client wrote it.
    fn host<'a>(&'a self, field: Option<&'a [u8]>) -> Result<(Host, &'a str), Malformed> {
        let read = |text: &str| Host::with_port(text).map_err(|_| Malformed::HostInvalid);
        let field = match field {
            Some(value) => {
                let text = std::str::from_utf8(value).map_err(|_| Malformed::HostInvalid)?;
                Some((read(text)?, text))
            }
            None if self.version == Version::Http11 => return Err(Malformed::HostMissing),
            None => None,
        };
        let target = match self.target.authority {
            Some(text) => Some((read(text)?, text)),
            None => None,
        };
        match (field, target) {
            (Some((ours, _)), Some((theirs, _))) if ours != theirs => Err(Malformed::HostDiffers),
            (Some(((host, _), text)), _) | (None, Some(((host, _), text))) => Ok((host, text)),
            (None, None) => Err(Malformed::HostMissing),
        }
    }

    /// Only an upgrade that ends in a tunnel: `h2c` would hide further requests from us, and a
    /// body would have to be told from the tunnel's first bytes.
    fn may_upgrade(&self, token: &str, body: Body) -> bool {
        self.version == Version::Http11
            && body == Body::EMPTY
            && !token.split(',').any(|token| token.trim().eq_ignore_ascii_case("h2c"))
    }

    fn put_fields(&self, control: &Control<'_>, out: &mut Vec<u8>) {
        for (known, field) in self.fields.iter() {
            match known {
                Field::Other | Field::Date | Field::Via if !control.lists(field.name) => {
                    put(out, field.name, field.value);
                }
                // An HTTP/1.0 client could not understand the 100 that this asks for.
                Field::Expect if self.version != Version::Http10 => {
                    put(out, field.name, field.value);
                }
                _ => {}
            }
        }
    }
}

/// A method, for the length of a request. Those that nearly everybody uses take no memory.
fn kept(method: &str) -> Cow<'static, str> {
    const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    match USUAL.iter().find(|usual| **usual == method) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(method.to_owned()),
    }
}

fn via(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"1.0 edge",
        Version::Http11 => b"1.1 edge",
        Version::Http2 => b"2.0 edge",
    }
}

pub(crate) fn put_length(length: Length, out: &mut Vec<u8>) {
    match length {
        Length::Unsaid => {}
        Length::Sized(size) => {
            out.extend_from_slice(b"Content-Length: ");
            put_number(out, size);
            out.extend_from_slice(b"\r\n");
        }
        Length::Chunked => put(out, "Transfer-Encoding", b"chunked"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

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
