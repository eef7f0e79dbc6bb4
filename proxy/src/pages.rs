//! The edge's own answers, as a person or a program wants to read them.
//!
//! Not templates of an app. Everything in a page is escaped, nothing in it is cached, and it names
//! the request id, so that an operator finds the request in the log.

use std::fmt::Write as _;
use std::time::SystemTime;

use crate::control::Persistence;
use crate::date::http_date;
use crate::field::put;
use crate::refusal::{Refusal, Words};
use crate::request_id::RequestId;
use crate::rules::{Passage, fields};

/// What the client would rather read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Json,
    Text,
    /// A status in the fields and no page at all.
    Grpc,
}

/// Whether the client gets the body of a page or only its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Head,
}

impl Format {
    /// What whoever sent this head wants to read. `head` is the one for the upstream: nearly no
    /// request ends in a page, so that nothing is noted beforehand.
    pub(crate) fn of(head: &[u8]) -> Self {
        let mut bodies = fields(head, "content-type");
        let by_body = bodies.next().and_then(Self::of_body);
        let accept = || fields(head, "accept").last().unwrap_or_default();
        by_body.unwrap_or_else(|| Self::accepted(accept()))
    }

    /// What whoever sends a body of this type wants to read, if it is a type that says so.
    fn of_body(media_type: &[u8]) -> Option<Self> {
        let (start, rest) = media_type.split_at_checked(b"application/grpc".len())?;
        // Not gRPC-Web, which speaks another dialect of trailers.
        let whole = matches!(rest.first(), None | Some(b'+' | b';'));
        (whole && start.eq_ignore_ascii_case(b"application/grpc")).then_some(Self::Grpc)
    }

    /// Reads an `Accept` value: browsers say `text/html`, programs say JSON, curl says nothing.
    fn accepted(accept: &[u8]) -> Self {
        let accept = accept.to_ascii_lowercase();
        let offers = |kind: &[u8]| memchr::memmem::find(&accept, kind).is_some();
        if offers(b"text/html") {
            Self::Html
        } else if offers(b"application/json") || offers(b"+json") {
            Self::Json
        } else {
            Self::Text
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Grpc => "application/grpc",
        }
    }
}

/// What a page is about and for whom.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) refusal: &'a Refusal,
    /// The site and the service in whose place the edge answers, as far as they are known.
    pub(crate) passage: &'a Passage,
    pub(crate) id: &'a RequestId,
    pub(crate) format: Format,
    pub(crate) part: Part,
    pub(crate) at: SystemTime,
}

/// An answer, ready for either protocol: only what is about a connection is missing.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In the order in which they are sent, with a `Content-Length`.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// Empty if only the head was asked for.
    pub(crate) body: String,
}

impl Page<'_> {
    /// The whole answer.
    pub(crate) fn answer(&self) -> Answer {
        let words = self.refusal.words();
        let (media_type, mut body) = self.body();
        let mut fields = vec![
            ("Date", http_date(self.at)),
            ("Content-Type", media_type.into()),
            ("Content-Length", body.len().to_string()),
            ("Cache-Control", "no-store".into()),
            ("X-Request-Id", self.id.as_str().into()),
        ];
        // To a gRPC client every answer of a server is a 200, and its fields say how it went.
        let status = if self.format == Format::Grpc { 200 } else { words.status };
        if self.format == Format::Grpc {
            fields.push(("grpc-status", grpc_status(words.status).into()));
            fields.push(("grpc-message", grpc_message(&words.title)));
        }
        fields.extend(self.refusal.field());
        fields.extend(self.passage.hsts().map(|hsts| (HSTS, hsts.into())));
        if self.part == Part::Head {
            body.clear();
        }
        Answer { status, fields, body }
    }

    /// Writes the whole answer as HTTP/1.1.
    pub(crate) fn put(&self, persistence: Persistence, out: &mut Vec<u8>) {
        let answer = self.answer();
        let line = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
        out.extend_from_slice(line.as_bytes());
        for (name, value) in &answer.fields {
            put(out, name, value.as_bytes());
        }
        match persistence {
            Persistence::Close => put(out, "Connection", b"close"),
            Persistence::KeepAlive => put(out, "Connection", b"keep-alive"),
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(answer.body.as_bytes());
    }

    fn body(&self) -> (&'static str, String) {
        if let Refusal::Proof(text) = self.refusal {
            return ("text/plain", text.to_string());
        }
        let words = self.refusal.words();
        let body = match self.format {
            Format::Html => match (self.passage.page(words.status), self.refusal) {
                (Some(own), _) => own.into(),
                (None, Refusal::Moved { location, .. }) => html(&words, &link(location), self.id),
                (None, _) => html(&words, &escape_html(&words.explanation), self.id),
            },
            Format::Json => json(&words, self.id),
            Format::Text => {
                format!("{}\n{}\nRequest id: {}\n", words.title, words.explanation, self.id)
            }
            Format::Grpc => String::new(),
        };
        (self.format.media_type(), body)
    }
}

/// What gRPC calls a status of HTTP.
fn grpc_status(status: u16) -> &'static str {
    match status {
        400 | 431 => "13", // INTERNAL
        401 => "16",       // UNAUTHENTICATED
        403 => "7",        // PERMISSION_DENIED
        404 => "12",       // UNIMPLEMENTED
        408 | 504 => "4",  // DEADLINE_EXCEEDED
        413 | 429 => "8",  // RESOURCE_EXHAUSTED
        502 | 503 => "14", // UNAVAILABLE: clients try again
        _ => "2",          // UNKNOWN
    }
}

/// Printable ASCII as it is, the rest in percent signs.
fn grpc_message(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            safe.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

/// The field that a site's wish for TLS is said in.
pub(crate) const HSTS: &str = "Strict-Transport-Security";

fn link(location: &str) -> String {
    let location = escape_html(location);
    format!("<a href=\"{location}\">{location}</a>")
}

fn html(words: &Words, explanation: &str, id: &RequestId) -> String {
    let title = escape_html(&words.title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style>\n<main><h1>{title}</h1><p>{explanation}</p>\
         <p class=\"id\">{} · request <code>{id}</code></p></main></html>\n",
        words.status
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#1c1c1e;background:#fafafa;\
     display:grid;place-items:center;min-height:90vh;margin:0}main{max-width:34rem;padding:1.5rem}\
     h1{font-size:1.5rem;line-height:1.25}.id{color:#6b6b70;font-size:.85rem}\
     @media(prefers-color-scheme:dark){body{color:#eee;background:#161618}.id{color:#98989e}}";

fn json(words: &Words, id: &RequestId) -> String {
    format!(
        "{{\"error\":{{\"status\":{},\"title\":\"{}\",\"explanation\":\"{}\",\
         \"request_id\":\"{id}\"}}}}\n",
        words.status,
        escape_json(&words.title),
        escape_json(&words.explanation)
    )
}

fn escape_html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

fn escape_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => safe.push_str("\\\""),
            '\\' => safe.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a `String` cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(control));
            }
            _ => safe.push(letter),
        }
    }
    safe
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "HTTP Version Not Supported",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::table::{Absence, Hold, Service};

    fn page(format: Format) -> String {
        let absent = Absence {
            title: "\"Shop\" <is> down".into(),
            explanation: "Back & soon.".into(),
            retry_after: Duration::from_secs(7),
        };
        let hold = Hold { most: 0, deadline: Duration::ZERO };
        let refusal = Refusal::Absent(Arc::new(Service::new(vec![], hold, absent)));
        let id = RequestId::keep(b"id-1").unwrap();
        let (passage, part, at) = (Passage::unknown(), Part::Whole, UNIX_EPOCH);
        let page = Page { refusal: &refusal, passage: &passage, id: &id, format, part, at };
        let mut out = Vec::new();
        page.put(Persistence::Close, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_are_escaped_and_never_cached() {
        let html = page(Format::Html);
        assert!(html.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(
            html.contains("Cache-Control: no-store\r\n") && html.contains("Retry-After: 7\r\n")
        );
        assert!(html.contains("&quot;Shop&quot; &lt;is&gt; down") && html.contains("id-1"));
        let json = page(Format::Json);
        assert!(json.ends_with(
            "{\"error\":{\"status\":503,\"title\":\"\\\"Shop\\\" <is> down\",\
             \"explanation\":\"Back & soon.\",\"request_id\":\"id-1\"}}\n"
        ));
    }

    #[test]
    fn the_format_follows_the_accept_field() {
        assert_eq!(Format::accepted(b"text/html,application/json;q=0.9"), Format::Html);
        assert_eq!(Format::accepted(b"application/problem+json"), Format::Json);
        assert_eq!(Format::accepted(b"*/*"), Format::Text);
    }
}
