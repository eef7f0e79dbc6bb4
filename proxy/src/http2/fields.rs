//! Heads and trailers in the types that `h2` takes.
//!
//! It decides nothing about which fields travel: that was done before. The invariant: what no field
//! may contain comes out as an error, never as another field.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::digits::{Digits, decimal};
use crate::head::Malformed;
use crate::pages::Answer;
use crate::response::Head;

/// The head of an upstream's answer, without a length.
pub(crate) fn of_head(head: &Head<'_, '_>) -> Result<Response<()>, Malformed> {
    let mut response = with_status(head.status)?;
    let map = response.headers_mut();
    map.reserve(head.count());
    let mut added = Ok(());
    head.each_field(|name, value| {
        if added.is_ok() {
            added = add(map, name.as_bytes(), value);
        }
    });
    added.map(|()| response)
}

/// The head of an answer of the edge's own.
pub(crate) fn of_answer(answer: &Answer) -> Result<Response<()>, Malformed> {
    let mut response = with_status(answer.status)?;
    for field in &answer.fields {
        add(response.headers_mut(), field.name.as_bytes(), field.value.as_bytes())?;
    }
    Ok(response)
}

fn with_status(status: u16) -> Result<Response<()>, Malformed> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Malformed::FirstLine)?;
    Ok(response)
}

/// Lines of fields, with or without an empty one; `None` if there are none.
pub(crate) fn of_lines(lines: &[u8]) -> Result<Option<HeaderMap>, Malformed> {
    let mut map = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let colon = memchr::memchr(b':', line).ok_or(Malformed::Trailer)?;
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        add(&mut map, name, value).map_err(|_| Malformed::Trailer)?;
    }
    Ok(if map.is_empty() { None } else { Some(map) })
}

/// Says how long the body is.
pub(crate) fn put_length(map: &mut HeaderMap, size: u64) -> Result<(), Malformed> {
    let value = HeaderValue::from_bytes(decimal(size, &mut Digits::default()));
    map.insert(CONTENT_LENGTH, value.map_err(|_| Malformed::Length)?);
    Ok(())
}

/// Adds a field.
pub(crate) fn add(map: &mut HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| Malformed::Field)?;
    let name = if name.eq_ignore_ascii_case(REQUEST_ID.as_bytes()) {
        // Not a secret, but no two are alike: in the table of fields that both ends remember, it
        // would only push out what comes again.
        value.set_sensitive(true);
        HeaderName::from_static(REQUEST_ID)
    } else {
        HeaderName::from_bytes(name).map_err(|_| Malformed::Field)?
    };
    map.try_append(name, value).map_err(|_| Malformed::Field)?;
    Ok(())
}

const REQUEST_ID: &str = "x-request-id";
