//! Text is compressed for clients that can read it so, and nothing else is touched.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use proxy::{Compression, Limits, Policy};

use crate::stage::{Answer, Client, Origin, Plan, Seen, Stage, Then, app};

const HTML: &str = "Content-Type: text/html\r\n";

fn text() -> String {
    "<li>the quick brown fox</li>\n".repeat(200)
}

fn plan() -> Plan {
    let policy = Policy { compression: Compression::Text, ..Policy::default() };
    Plan { policy, ..Plan::default() }
}

/// An origin that answers with these fields and `text()`.
fn origin(fields: &'static str) -> Origin {
    Origin::start(move |seen, stream| {
        let body = if seen.head.starts_with("HEAD ") { String::new() } else { text() };
        let length = text().len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n");
        stream.write_all([head, body].concat().as_bytes()).unwrap();
        Then::KeepOpen
    })
}

fn request(method: &str, version: &str, accept: &str) -> String {
    let accept =
        if accept.is_empty() { String::new() } else { format!("Accept-Encoding: {accept}\r\n") };
    format!("{method} / HTTP/{version}\r\nHost: app.test\r\n{accept}\r\n")
}

fn ask(client: &mut Client, accept: &str) -> Answer {
    client.send(request("GET", "1.1", accept));
    client.answer().unwrap()
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The text of a body, as its `Content-Encoding` says. What is cut off is left out.
fn plain(head: &str, body: &[u8]) -> String {
    let mut text = Vec::new();
    let _ = match field(head, "Content-Encoding") {
        None => body.take(u64::MAX).read_to_end(&mut text),
        Some("gzip") => flate2::read::GzDecoder::new(body).read_to_end(&mut text),
        Some("br") => brotli::Decompressor::new(body, 4096).read_to_end(&mut text),
        Some("zstd") => zstd::stream::read::Decoder::new(body).unwrap().read_to_end(&mut text),
        Some(other) => panic!("{other}"),
    };
    String::from_utf8(text).unwrap()
}

#[test]
fn the_client_gets_the_coding_it_likes_best() {
    let origin = origin(HTML);
    let stage = Stage::planned(&plan(), &[&origin]);
    let mut client = stage.client();
    let mut check = |accept: &str, coding: Option<&str>| {
        let answer = ask(&mut client, accept);
        assert_eq!(field(&answer.head, "Content-Encoding"), coding, "{accept}: {}", answer.head);
        assert_eq!(field(&answer.head, "Vary"), Some("Accept-Encoding"), "{accept}");
        assert_eq!(field(&answer.head, "Content-Length").is_some(), coding.is_none());
        assert_eq!(plain(&answer.head, &answer.body), text(), "{accept}");
        assert_eq!(answer.body.len() < text().len() / 5, coding.is_some(), "{accept}");
    };
    check("gzip, deflate, br, zstd", Some("zstd"));
    check("gzip, deflate, br", Some("br"));
    check("gzip", Some("gzip"));
    check("br;q=0.5, gzip", Some("gzip"));
    check("zstd;q=0, *", Some("br"));
    check("identity", None);
    check("identity;q=0, br;q=0.1", Some("br"));
    check("gzip;q=0, *;q=0", None);
    check("", None);
    assert!(origin.seen().iter().any(|seen| seen.field("Accept-Encoding") == Some("gzip")));
}

#[test]
fn the_head_is_true_of_the_coded_body() {
    let fields = "Content-Type: text/css\r\nETag: \"abc\"\r\nAccept-Ranges: bytes\r\n\
                  Vary: Cookie\r\nX-Other: 1\r\n";
    let stage = Stage::planned(&plan(), &[&origin(fields)]);
    let mut client = stage.client();
    let coded = ask(&mut client, "gzip").head;
    assert_eq!(field(&coded, "ETag"), Some("W/\"abc\""));
    assert_eq!(field(&coded, "Accept-Ranges"), None);
    assert_eq!(field(&coded, "Transfer-Encoding"), Some("chunked"));
    assert!(coded.contains("Vary: Cookie\r\n") && coded.contains("Vary: Accept-Encoding\r\n"));
    client.send(request("HEAD", "1.1", "gzip"));
    let head = client.head().unwrap();
    for name in ["Content-Encoding", "ETag", "Vary", "Accept-Ranges", "Content-Length", "X-Other"] {
        assert_eq!(field(&head, name), field(&coded, name), "{name}");
    }
    let untouched = ask(&mut client, "identity").head;
    assert_eq!(field(&untouched, "ETag"), Some("\"abc\""));
    assert_eq!(field(&untouched, "Accept-Ranges"), Some("bytes"));
}

#[test]
fn what_shall_not_be_compressed_passes_as_it_is() {
    let length = text().len().to_string();
    let sized = format!("Content-Length: {length}\r\n");
    let small = "x".repeat(1024);
    let check = |status: &str, fields: &str, body: &str| {
        let response = format!("HTTP/1.1 {status}\r\n{fields}\r\n{body}");
        let stage = Stage::planned(&plan(), &[&Origin::saying(response)]);
        let mut client = stage.client();
        client.send(request("GET", "1.1", "gzip"));
        let head = client.head().unwrap();
        assert!(field(&head, "Vary").is_none(), "{head}");
        assert_eq!(field(&head, "ETag").unwrap_or("\"a\""), "\"a\"", "{head}");
        assert_eq!(client.bytes(body.len()), body.as_bytes(), "{head}");
    };
    let all = text();
    check("200 OK", &format!("{sized}{HTML}Content-Encoding: gzip\r\n"), &all);
    check("200 OK", &format!("{sized}{HTML}ETag: \"a\"\r\nCache-Control: no-transform\r\n"), &all);
    check("200 OK", &format!("{sized}Content-Type: image/png\r\n"), &all);
    check("200 OK", &format!("{sized}Content-Type: text/event-stream\r\n"), &all);
    check("200 OK", &format!("{sized}Content-Type: application/grpc+json\r\n"), &all);
    check("200 OK", &sized, &all);
    check("200 OK", &format!("Content-Length: 1024\r\n{HTML}"), &small);
    check(
        "206 Partial Content",
        &format!("{sized}{HTML}Content-Range: bytes 0-{length}/9999999\r\n"),
        &all,
    );
    check("204 No Content", &format!("{HTML}ETag: \"a\"\r\n"), "");
    check("304 Not Modified", &format!("{HTML}ETag: \"a\"\r\n"), "");
}

#[test]
fn nothing_is_compressed_unless_the_app_wants_it() {
    let stage = Stage::new(&[&origin(HTML)]);
    let answer = ask(&mut stage.client(), "gzip, br, zstd");
    assert_eq!(field(&answer.head, "Content-Encoding"), None);
    assert_eq!(field(&answer.head, "Vary"), None);
}

#[test]
fn an_old_client_keeps_its_length() {
    let stage = Stage::planned(&plan(), &[&origin(HTML)]);
    let mut client = stage.client();
    client.send(request("GET", "1.0", "gzip"));
    let answer = client.answer().unwrap();
    assert_eq!(field(&answer.head, "Content-Encoding"), None);
    assert_eq!(answer.body, text().into_bytes());
}

#[test]
fn bodies_of_any_framing_and_size_come_across() {
    // Larger than every buffer, and not the same all over.
    let lines: Vec<String> = (0..60_000).map(|line| format!("line {line} of many\n")).collect();
    let body = Arc::new(lines.concat());
    let check = |chunked: bool| {
        let sent = Arc::clone(&body);
        let origin = Origin::start(move |_, stream| {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
            if !chunked {
                stream.write_all(format!("{head}\r\n{sent}").as_bytes()).unwrap();
                return Then::Close;
            }
            stream
                .write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes())
                .unwrap();
            for piece in sent.as_bytes().chunks(10_007) {
                let size = format!("{:x}\r\n", piece.len());
                stream.write_all(&[size.as_bytes(), piece, b"\r\n"].concat()).unwrap();
            }
            stream.write_all(b"0\r\nX-Trailer: 1\r\n\r\n").unwrap();
            Then::KeepOpen
        });
        let stage = Stage::planned(&plan(), &[&origin]);
        let mut client = stage.client();
        for accept in ["gzip", "br", "zstd"] {
            let answer = ask(&mut client, accept);
            assert_eq!(field(&answer.head, "Content-Encoding"), Some(accept));
            assert!(plain(&answer.head, &answer.body) == *body, "{accept}");
        }
        let connections = if chunked { 1 } else { 3 };
        assert_eq!(origin.connections(), connections, "a whole body leaves its connection usable");
    };
    check(true);
    check(false);
}

/// An origin that streams what it is given, piece by piece.
fn streaming() -> (Origin, mpsc::Sender<&'static str>) {
    let (sender, pieces) = mpsc::channel::<&'static str>();
    let pieces = Mutex::new(pieces);
    let origin = Origin::start(move |_: &Seen, stream| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for piece in pieces.lock().unwrap().iter() {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            if stream.write_all(chunk.as_bytes()).is_err() {
                break;
            }
        }
        let _ = stream.write_all(b"0\r\n\r\n");
        Then::KeepOpen
    });
    (origin, sender)
}

#[test]
fn a_streamed_page_is_not_held_back() {
    for accept in ["gzip", "br", "zstd"] {
        let (origin, pieces) = streaming();
        let stage = Stage::planned(&plan(), &[&origin]);
        let mut client = stage.client();
        client.send(request("GET", "1.1", accept));
        let head = client.head().unwrap();
        let (mut coded, mut expected) = (Vec::new(), String::new());
        for piece in ["<h1>first</h1>", "<p>second</p>"] {
            pieces.send(piece).unwrap();
            expected.push_str(piece);
            // The next piece is only sent when this one has been read.
            while plain(&head, &coded) != expected {
                coded.extend(chunk(&mut client));
            }
        }
        drop(pieces);
        loop {
            let piece = chunk(&mut client);
            if piece.is_empty() {
                break;
            }
            coded.extend(piece);
        }
        assert_eq!(plain(&head, &coded), expected, "{accept}");
    }
}

/// The next chunk; empty at the end.
fn chunk(client: &mut Client) -> Vec<u8> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.extend(client.bytes(1));
    }
    let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
    let data = client.bytes(size);
    assert_eq!(client.bytes(2), b"\r\n");
    data
}

#[test]
fn encoders_are_given_back_when_clients_leave() {
    let (origin, pieces) = streaming();
    let limits = Limits { encoders: 2, ..Limits::default() };
    let stage = Stage::planned(&Plan { workers: 1, limits, ..plan() }, &[&origin]);
    pieces.send("<h1>begun</h1>").unwrap();
    for number in 0..10 {
        let mut client = stage.client();
        client.send(request("GET", "1.1", "gzip"));
        let head = client.head().unwrap();
        assert_eq!(field(&head, "Content-Encoding"), Some("gzip"), "request {number}");
        drop(client);
        stage
            .await_traffic("the request to end", |traffic| traffic.services[&app()].in_flight == 0);
    }
}

#[test]
fn beyond_the_bound_responses_pass_as_they_are() {
    let (origin, _pieces) = streaming();
    let limits = Limits { encoders: 1, ..Limits::default() };
    let stage = Stage::planned(&Plan { workers: 1, limits, ..plan() }, &[&origin]);
    let (mut first, mut second) = (stage.client(), stage.client());
    for (client, coding) in [(&mut first, Some("gzip")), (&mut second, None)] {
        client.send(request("GET", "1.1", "gzip"));
        let head = client.head().unwrap();
        assert_eq!(field(&head, "Content-Encoding"), coding, "{head}");
        assert_eq!(field(&head, "Vary"), Some("Accept-Encoding"), "{head}");
    }
}
