//! HTTP/1.1 messages as HTTP/2 fields and back, for upstreams that speak h2c.
//!
//! It moves no bytes. Fields that are about one connection stay on theirs.

use http::header::{CONTENT_LENGTH, HOST, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, response};
use httparse::{EMPTY_HEADER, Status};

use crate::body::Body;
use crate::control::{Control, Length, Version};
use crate::field::{Field, Fields, MOST_FIELDS, put};
use crate::head::Malformed;

use super::fields::{add, put_length};
use super::request::Ending;

/// A request as `h2` takes it.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request<()>,
    /// How its body is written to us.
    pub(crate) body: Body,
    pub(crate) asked: Asked,
}

/// Whether the response may have a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Whole,
    Head,
}

/// How a response's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Plain,
    Chunked,
}

/// Reads a whole request head.
pub(crate) fn request(head: &[u8]) -> Result<Ask, Malformed> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let Ok(Status::Complete(_)) = parsed.parse(head) else { return Err(Malformed::FirstLine) };
    let fields = Fields::of(parsed.headers);
    let control = Control::read(Version::Http11, &fields)?;
    let method = parsed.method.unwrap_or_default().as_bytes();
    let method = Method::from_bytes(method).map_err(|_| Malformed::FirstLine)?;
    let mut headers = HeaderMap::with_capacity(fields.lines.len() + 1);
    for (known, field) in fields.iter() {
        if travels(known) && !control.lists(field.name) {
            add(&mut headers, field.name.as_bytes(), field.value)?;
        }
    }
    let authority = headers.remove(HOST).ok_or(Malformed::HostMissing)?;
    let uri = Uri::builder()
        .scheme("http")
        .authority(authority.as_bytes())
        .path_and_query(parsed.path.unwrap_or_default())
        .build()
        .map_err(|_| Malformed::Target)?;
    // Whatever the client understands, the edge passes trailers on or drops them; and gRPC servers
    // refuse whoever does not say so.
    headers.insert(TE, HeaderValue::from_static("trailers"));
    let body = match control.length {
        Length::Unsaid => Body::EMPTY,
        Length::Sized(size) => Body::Sized(size),
        Length::Chunked => Body::CHUNKED,
    };
    if let Length::Sized(size) = control.length {
        put_length(&mut headers, size)?;
    }
    let asked = if method == Method::HEAD { Asked::Head } else { Asked::Whole };
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    *request.headers_mut() = headers;
    Ok(Ask { request, body, asked })
}

/// Whether a field may be about more than one connection.
fn travels(known: Field) -> bool {
    !matches!(
        known,
        Field::Connection
            | Field::ContentLength
            | Field::TransferEncoding
            | Field::Upgrade
            | Field::Hop
    )
}

/// Writes an interim response.
pub(crate) fn put_interim(interim: &Response<()>, out: &mut Vec<u8>) {
    put_line(interim.status(), out);
    put_fields(interim.headers(), out);
    out.extend_from_slice(b"\r\n");
}

/// Writes the head of a response and says how its body goes on.
pub(crate) fn put_response(
    parts: &response::Parts,
    asked: Asked,
    ending: Ending,
    out: &mut Vec<u8>,
) -> Framing {
    put_line(parts.status, out);
    put_fields(&parts.headers, out);
    let bodiless = asked == Asked::Head || matches!(parts.status.as_u16(), 204 | 304);
    let sized = parts.headers.contains_key(CONTENT_LENGTH);
    let framing = if bodiless || sized || ending == Ending::WithHead {
        Framing::Plain
    } else {
        Framing::Chunked
    };
    if framing == Framing::Chunked {
        put(out, "Transfer-Encoding", b"chunked");
    } else if !bodiless && !sized {
        put(out, "Content-Length", b"0");
    }
    out.extend_from_slice(b"\r\n");
    framing
}

fn put_line(status: http::StatusCode, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn put_fields(fields: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in fields {
        put(out, name.as_str(), value.as_bytes());
    }
}

impl Framing {
    /// Writes a piece of the body.
    pub(crate) fn put(self, piece: &[u8], out: &mut Vec<u8>) {
        // An empty chunk would be the end.
        if self == Self::Chunked && !piece.is_empty() {
            out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(piece);
        }
    }

    /// Writes the end of the body.
    pub(crate) fn put_end(self, trailers: Option<&HeaderMap>, out: &mut Vec<u8>) {
        if self == Self::Chunked {
            out.extend_from_slice(b"0\r\n");
            if let Some(trailers) = trailers {
                put_fields(trailers, out);
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}
