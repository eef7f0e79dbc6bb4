//! A record as a line: JSON, or the Combined Log Format. Pure.
//!
//! The invariant: whatever a visitor sends, one record is one line, and no part of it can be taken
//! for another. Queries are left out everywhere: they may carry secrets, and nobody needs them here.

use std::fmt::Write as _;
use std::time::Duration;

use proxy::{Abort, Record, ServiceName, UpstreamId};
use serde::Serialize;

/// The most of a path, an agent or a referer that is kept, in bytes.
const LONGEST: usize = 2048;

/// All that is known, by name.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    client: std::net::IpAddr,
    peer: std::net::SocketAddr,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    version: &'a str,
    tls: Option<&'a str>,
    status: Option<u16>,
    received: u64,
    sent: u64,
    app: Option<&'a str>,
    instance: Option<&'a str>,
    retries: u32,
    held_ms: f64,
    connect_ms: Option<f64>,
    first_byte_ms: Option<f64>,
    total_ms: f64,
    refusal: Option<&'a str>,
    abort: Option<&'static str>,
    agent: &'a str,
    referer: &'a str,
    request_id: &'a str,
}

/// Appends the record as a JSON object.
pub(super) fn json(record: &Record, out: &mut Vec<u8>) {
    let line = Line {
        time: time(record, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        client: record.client,
        peer: record.peer,
        method: &record.method,
        host: &record.host,
        path: path(&record.path),
        version: record.version,
        tls: record.tls,
        status: record.status,
        received: record.received,
        sent: record.sent,
        app: record.service.as_ref().map(ServiceName::as_str),
        instance: record.upstream.as_ref().map(UpstreamId::as_str),
        retries: record.retries,
        held_ms: millis(record.held),
        connect_ms: record.connected.map(millis),
        first_byte_ms: record.first_byte.map(millis),
        total_ms: millis(record.total),
        refusal: record.refusal.as_deref(),
        abort: record.abort.map(word),
        agent: shortened(&record.agent),
        referer: path(&record.referer),
        request_id: &record.request_id,
    };
    // Nothing in it can fail to become JSON, and writing to a `Vec` cannot fail.
    if serde_json::to_writer(&mut *out, &line).is_ok() {
        out.push(b'\n');
    }
}

/// Appends the record in the Combined Log Format.
pub(super) fn common(record: &Record, out: &mut Vec<u8>) {
    let mut line = format!("{} - - [{}] \"", record.client, time(record, "%d/%b/%Y:%H:%M:%S %z"));
    if record.method.is_empty() {
        line.push('-');
    } else {
        quote(&record.method, &mut line);
        line.push(' ');
        quote(path(&record.path), &mut line);
        line.push(' ');
        line.push_str(record.version);
    }
    // Writing to a `String` cannot fail.
    let _ = match record.status {
        Some(status) => write!(line, "\" {status} {} \"", record.sent),
        None => write!(line, "\" - {} \"", record.sent),
    };
    let or_none = |text: &str, line: &mut String| match text {
        "" => line.push('-'),
        text => quote(text, line),
    };
    or_none(path(&record.referer), &mut line);
    line.push_str("\" \"");
    or_none(shortened(&record.agent), &mut line);
    line.push_str("\"\n");
    out.extend_from_slice(line.as_bytes());
}

/// As Apache does: nothing that ends a quotation, a line or a terminal's patience.
fn quote(text: &str, line: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(byte)]),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
}

/// Without the query.
fn path(text: &str) -> &str {
    shortened(text.split(['?', '#']).next().unwrap_or_default())
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

fn time(record: &Record, format: &str) -> String {
    let time = jiff::Timestamp::try_from(record.at).unwrap_or_default();
    time.strftime(format).to_string()
}

/// To the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn word(abort: Abort) -> &'static str {
    match abort {
        Abort::ClientGone => "client_gone",
        Abort::ClientMalformed => "client_malformed",
        Abort::ClientStalled => "client_stalled",
        Abort::UpstreamClosed => "instance_closed",
        Abort::UpstreamMalformed => "instance_malformed",
        Abort::UpstreamStalled => "instance_stalled",
        Abort::TunnelIdle => "tunnel_idle",
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn record() -> Record {
        let at = UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
        Record {
            method: "GET".into(),
            host: "shop.test".into(),
            path: "/a/b?token=secret".into(),
            version: "HTTP/1.1",
            agent: "curl/8".into(),
            referer: "http://x.test/y?token=secret".into(),
            status: Some(200),
            sent: 12,
            service: Some(ServiceName::new("shop")),
            first_byte: Some(Duration::from_micros(1_234)),
            ..Record::new(at, "192.0.2.1:5000".parse().unwrap())
        }
    }

    fn text(write: fn(&Record, &mut Vec<u8>), record: &Record) -> String {
        let mut out = Vec::new();
        write(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_combined_format_is_as_tools_expect_it() {
        assert_eq!(
            text(common, &record()),
            "192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] \"GET /a/b HTTP/1.1\" 200 12 \
             \"http://x.test/y\" \"curl/8\"\n"
        );
        let bad = Record::new(UNIX_EPOCH, "[2001:db8::1]:5".parse().unwrap());
        assert_eq!(
            text(common, &bad),
            "2001:db8::1 - - [01/Jan/1970:00:00:00 +0000] \"-\" - 0 \"-\" \"-\"\n"
        );
    }

    #[test]
    fn json_says_all_and_no_query() {
        let line = text(json, &record());
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["time"], "2026-09-21T14:13:20.123Z");
        assert_eq!(
            (&value["path"], &value["referer"]),
            (&"/a/b".into(), &"http://x.test/y".into())
        );
        assert_eq!((&value["app"], &value["first_byte_ms"]), (&"shop".into(), &1.234.into()));
        assert!(!line.contains("secret") && line.ends_with("}\n"));
    }

    #[test]
    fn no_visitor_can_forge_a_line() {
        for hostile in [
            "\n192.0.2.9 - - forged",
            "\r\n",
            "\" 200 1 \"-\" \"-\"",
            "\\",
            "\\\"",
            "\u{1b}[2J",
            "\u{85}\u{2028}",
            "{\"status\":200}",
            "é",
            &"x".repeat(100_000),
        ] {
            let record = Record {
                agent: hostile.into(),
                referer: hostile.into(),
                path: hostile.into(),
                ..record()
            };
            let line = text(common, &record);
            assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{line:?}");
            assert_eq!(line.matches('\n').count(), 1);
            // What stands between quotes, read as a parser of this format would.
            let unescaped = line.replace("\\\\", "").replace("\\\"", "");
            assert_eq!(unescaped.matches('"').count(), 6, "{line:?}");
            assert!(line.len() < 30_000);
            let line = text(json, &record);
            assert_eq!(line.matches(['\n', '\r']).count(), 1, "{line:?}");
            assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        }
    }
}
