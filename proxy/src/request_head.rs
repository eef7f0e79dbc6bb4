//! A request head that was taken apart: checked, and written anew for the upstream.
//!
//! It knows fields and targets, and not how they were sent. The invariant: what is written depends
//! on the bytes only through the parsed form, so an upstream can read it in one way only, ours.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::arrival::{Arrival, Known, Secure, Trust, put_arrival};
use crate::body::Body;
use crate::control::{Control, Length, Version};
use crate::digits::put_number;
use crate::field::{Field, Fields, put};
use crate::head::Malformed;
use crate::host::Host;
use crate::refusal::Refusal;
use crate::request::{Reach, Request};
use crate::request_id::RequestId;
use crate::target::{Scheme, Target};

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
        let secure = known.secure(arrival);
        if self.target.scheme == Scheme::Https && secure == Secure::No {
            // RFC 9110 section 7.4: such a page is for a connection that nobody else can read.
            return Err(Refusal::Misdirected(host));
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
            secure,
            reach,
        })
    }

    /// How the body is read, and what the upstream is told of its length.
    fn body(&self, said: Length) -> Result<(Body, Length), Malformed> {
        let (body, length) = self.framed(said)?;
        // RFC 9110 section 9.3.8.
        if self.method == "TRACE" && body != Body::EMPTY {
            return Err(Malformed::TraceBody);
        }
        Ok((body, length))
    }

    fn framed(&self, said: Length) -> Result<(Body, Length), Malformed> {
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
            // RFC 9113 section 8.3.1.
            (Some((ours, _)), Some((theirs, _)))
                if self.version == Version::Http2 && ours != theirs =>
            {
                Err(Malformed::HostDiffers)
            }
            // A proxy must not believe the field where the target names a host (RFC 9112 section
            // 3.2.2): it is written anew.
            (_, Some(((host, _), text))) | (Some(((host, _), text)), None) => Ok((host, text)),
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
