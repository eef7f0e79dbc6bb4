//! A response head: checked as strictly as a request, and written anew for the client.
//!
//! It reads no body. The invariant: an upstream cannot make a client see two responses where it
//! sent one, nor keep a connection in a state that either side reads differently.

use std::time::SystemTime;

use httparse::{EMPTY_HEADER, Header, Status};

use crate::body::Body;
use crate::control::{Control, Length, Persistence, Version};
use crate::date::http_date;
use crate::field::{Field, put};
use crate::head::Malformed;
use crate::pages::{HSTS, Part};
use crate::pump::Encoding;
use crate::request::{MOST_FIELDS, Request, put_length};
use crate::rules::Visit;

/// What the edge must know of a response after its head was written for the client.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// How its body is read from the upstream.
    pub(crate) body: Body,
    /// How it is written to the client.
    pub(crate) encoding: Encoding,
    /// Whether the upstream connection may be used again.
    pub(crate) upstream: Persistence,
    /// Whether the client connection may be, as far as this response goes.
    pub(crate) client: Persistence,
}

/// What a response head was found to be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A 1xx other than 101. It was written for the client if the client can understand it.
    Interim,
    /// A 101 to a protocol that was asked for. It was written for the client.
    Switched,
    Final(Response),
}

/// What is known when a response head arrives.
#[derive(Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) request: &'a Request,
    pub(crate) visit: &'a Visit,
    /// The client connection's end is already decided: the edge stops, or the client asked.
    pub(crate) persistence: Persistence,
    /// Part of the request's body has not been read yet.
    pub(crate) uploading: Uploading,
    pub(crate) at: SystemTime,
}

/// Whether a request's body is still being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uploading {
    Done,
    Underway,
}

/// Reads a whole head (with its empty line) and appends the head for the client to `out`.
pub(crate) fn read(
    head: &[u8],
    around: &Circumstances<'_>,
    out: &mut Vec<u8>,
) -> Result<Kind, Malformed> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    match parsed.parse(head) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(Malformed::Field);
        }
        Ok(_) | Err(_) => return Err(Malformed::FirstLine),
    }
    let status = parsed.code.filter(|code| (100..=599).contains(code));
    let status = status.ok_or(Malformed::FirstLine)?;
    let version = Version::of(parsed.version);
    let control = Control::read(version, parsed.headers)?;
    let head =
        Head { status, reason: parsed.reason.unwrap_or_default(), control, fields: parsed.headers };
    match status {
        101 => head.switched(around, out),
        100..=199 => {
            if around.request.version == Version::Http11 {
                head.put_line(out);
                head.put_fields(out);
                out.extend_from_slice(b"\r\n");
            }
            Ok(Kind::Interim)
        }
        _ => Ok(head.last(around, out)),
    }
}

struct Head<'h, 'b> {
    status: u16,
    reason: &'b str,
    control: Control<'b>,
    fields: &'h [Header<'b>],
}

impl Head<'_, '_> {
    fn switched(&self, around: &Circumstances<'_>, out: &mut Vec<u8>) -> Result<Kind, Malformed> {
        let asked = around.request.upgrade.as_deref().ok_or(Malformed::Switch)?;
        let given = self.control.upgrade.ok_or(Malformed::Switch)?;
        if !asked.split(',').any(|token| token.trim().eq_ignore_ascii_case(given.trim())) {
            return Err(Malformed::Switch);
        }
        self.put_line(out);
        self.put_fields(out);
        put(out, "Connection", b"upgrade");
        put(out, "Upgrade", given.as_bytes());
        put(out, "X-Request-Id", around.request.id.as_str().as_bytes());
        out.extend_from_slice(b"\r\n");
        Ok(Kind::Switched)
    }

    fn last(&self, around: &Circumstances<'_>, out: &mut Vec<u8>) -> Kind {
        let request = around.request;
        let length = self.control.length;
        let bodiless = request.part() == Part::Head || matches!(self.status, 204 | 304);
        let body = match length {
            _ if bodiless => Body::EMPTY,
            Length::Sized(size) => Body::Sized(size),
            Length::Chunked => Body::CHUNKED,
            Length::Unsaid => Body::UntilClose,
        };
        // What the client is told: a body of unknown length is chunked for it, if it can read that.
        let told = match length {
            Length::Sized(size) if self.status != 204 => Length::Sized(size),
            Length::Sized(_) => Length::Unsaid,
            Length::Chunked | Length::Unsaid if bodiless => Length::Unsaid,
            Length::Chunked | Length::Unsaid if request.version == Version::Http10 => {
                Length::Unsaid
            }
            Length::Chunked | Length::Unsaid => Length::Chunked,
        };
        let ends_by_closing = told == Length::Unsaid && !bodiless;
        // A refusal in the middle of an upload: the rest of the upload is of no use to anybody.
        let cut_short = around.uploading == Uploading::Underway && self.status >= 400;
        let client =
            if ends_by_closing || cut_short { Persistence::Close } else { around.persistence };

        self.put_line(out);
        let hsts = around.visit.hsts();
        // Said twice it would be void (RFC 6797 section 8.1), and the site's word is the edge's.
        self.put_fields_but(|name| hsts.is_some() && name.eq_ignore_ascii_case(HSTS), out);
        if let Some(hsts) = hsts {
            put(out, HSTS, hsts.as_bytes());
        }
        if !self.fields.iter().any(|field| Field::of(field.name) == Field::Date) {
            put(out, "Date", http_date(around.at).as_bytes());
        }
        put_length(told, out);
        put(out, "X-Request-Id", request.id.as_str().as_bytes());
        match (client, request.version) {
            (Persistence::Close, _) => put(out, "Connection", b"close"),
            (Persistence::KeepAlive, Version::Http10) => put(out, "Connection", b"keep-alive"),
            (Persistence::KeepAlive, Version::Http11) => {}
        }
        out.extend_from_slice(b"\r\n");

        let upstream = match body {
            Body::UntilClose => Persistence::Close,
            Body::Sized(_) | Body::Chunked(_) => self.control.persistence,
        };
        let encoding = match told {
            Length::Chunked => Encoding::Chunked,
            Length::Unsaid | Length::Sized(_) => Encoding::Plain,
        };
        Kind::Final(Response { status: self.status, body, encoding, upstream, client })
    }

    fn put_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    fn put_fields(&self, out: &mut Vec<u8>) {
        self.put_fields_but(|_| false, out);
    }

    fn put_fields_but(&self, left_out: impl Fn(&str) -> bool, out: &mut Vec<u8>) {
        for field in self.fields {
            match Field::of(field.name) {
                Field::Connection
                | Field::ContentLength
                | Field::TransferEncoding
                | Field::Upgrade
                | Field::Hop
                | Field::RequestId => {}
                _ if self.control.lists(field.name) || left_out(field.name) => {}
                _ => put(out, field.name, field.value),
            }
        }
    }
}
