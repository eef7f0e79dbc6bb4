//! A request as it came in an HTTP/2 stream, understood by the same rules as one in lines.
//!
//! The frames, the pseudo-header fields and what RFC 9113 section 8.2.2 forbids were checked by
//! `h2`; what it lets pass is checked here. The invariant: nothing goes on to an upstream that the
//! HTTP/1.1 parser would have refused.

use std::time::SystemTime;

use h2::RecvStream;
use h2::ext::Protocol;
use http::header::{COOKIE, SEC_WEBSOCKET_KEY};
use http::request::Parts;
use httparse::Header;

use crate::arrival::Arrival;
use crate::control::Version;
use crate::field::{Fields, MOST_FIELDS};
use crate::head::Malformed;
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::request_head::{Frame, Head};
use crate::target::{Scheme, Target};

/// Whether a stream ended with its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    WithHead,
    Later,
}

impl Ending {
    pub(crate) fn of(stream: &RecvStream) -> Self {
        if stream.is_end_stream() { Self::WithHead } else { Self::Later }
    }
}

/// Reads the head of a stream and appends the head for the upstream to `out`.
pub(crate) fn read(
    parts: &Parts,
    ending: Ending,
    arrival: &Arrival,
    at: SystemTime,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<Request, Refusal> {
    let method = parts.method.as_str();
    let frame = match (parts.extensions.get::<Protocol>().map(Protocol::as_str), ending) {
        (Some("websocket"), _) if method == "CONNECT" => Frame::Tunnel("websocket"),
        (Some(_), _) => return Err(Refusal::Method),
        (None, _) if method == "CONNECT" && parts.uri.authority().is_none() => {
            return Err(Refusal::Malformed(Malformed::HostMissing)); // RFC 9113 section 8.5
        }
        (None, _) if method == "CONNECT" => return Err(Refusal::Method),
        (None, Ending::WithHead) => Frame::Ended,
        (None, Ending::Later) => Frame::Open,
    };
    let target = target(parts, method, limits)?;
    let cookies = join_cookies(parts);
    let key = matches!(frame, Frame::Tunnel(_)).then(websocket_key);
    let mut fields = Vec::with_capacity(parts.headers.len() + 2);
    for (name, value) in &parts.headers {
        let skipped =
            (name == COOKIE && cookies.is_some()) || (name == SEC_WEBSOCKET_KEY && key.is_some());
        if !skipped {
            fields.push(Header { name: named(name.as_str())?, value: checked(value.as_bytes())? });
        }
    }
    if let Some(cookies) = &cookies {
        fields.push(Header { name: "cookie", value: cookies });
    }
    if let Some(key) = &key {
        fields.push(Header { name: "sec-websocket-key", value: key.as_bytes() });
    }
    if fields.len() > MOST_FIELDS {
        return Err(Refusal::HeadTooLong);
    }
    let fields = Fields::of(&fields);
    Head { method, target, version: Version::Http2, frame, fields }.understand(arrival, at, out)
}

/// `:path` and `:authority`. An absolute form has no place in a `:path`.
fn target<'b>(parts: &'b Parts, method: &str, limits: &Limits) -> Result<Target<'b>, Refusal> {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    if path.len() > limits.request_line {
        return Err(Refusal::TargetTooLong);
    }
    if !path.starts_with('/') && path != "*" {
        return Err(Refusal::Malformed(Malformed::Target));
    }
    // `h2` forgets the scheme where there is no authority.
    if parts.uri.authority().is_some() {
        let scheme = parts.uri.scheme_str().unwrap_or_default();
        Scheme::of(scheme).map_err(Refusal::Malformed)?;
    }
    let method = if method == "CONNECT" { "GET" } else { method };
    let target = Target::parse(path, method).map_err(Refusal::Malformed)?;
    Ok(Target { authority: parts.uri.authority().map(http::uri::Authority::as_str), ..target })
}

/// One field of all cookie crumbs (RFC 9113 section 8.2.3); `None` if there is nothing to join.
fn join_cookies(parts: &Parts) -> Option<Vec<u8>> {
    let mut crumbs = parts.headers.get_all(COOKIE).iter();
    let (first, second) = (crumbs.next()?, crumbs.next()?);
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    Some(joined)
}

/// A name that is a token: `http` takes a quotation mark for a letter of one.
fn named(name: &str) -> Result<&str, Refusal> {
    match memchr::memchr(b'"', name.as_bytes()) {
        Some(_) => Err(Refusal::Malformed(Malformed::Field)),
        None => Ok(name),
    }
}

/// A value without blanks around it: HTTP/1.1 drops them, HTTP/2 forbids them (section 8.2.1), and
/// `h2` knows of no control characters but these two.
fn checked(value: &[u8]) -> Result<&[u8], Refusal> {
    if has_blanks_around(value) {
        return Err(Refusal::Malformed(Malformed::Field));
    }
    Ok(value)
}

/// Whether there is a blank where HTTP/2 allows none.
pub(crate) fn has_blanks_around(value: &[u8]) -> bool {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    blank(value.first()) || blank(value.last())
}

/// What a WebSocket server over HTTP/1.1 must be sent and nobody looks at: sixteen random bytes in
/// base64 (RFC 6455 section 4.1). Over HTTP/2 there is no such thing (RFC 8441 section 5).
fn websocket_key() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |among: &[u8]| {
        let at = fastrand::usize(..among.len());
        among.get(at).copied().map_or('A', char::from)
    };
    let mut key: String = (0..21).map(|_| letter(LETTERS)).collect();
    key.push(letter(b"AQgw")); // Two bits are left for the last letter.
    key.push_str("==");
    key
}
