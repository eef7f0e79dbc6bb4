//! What the edge does for a service it does for upstreams that speak h2c too, and for clients of
//! either protocol.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method, Response};
use proxy::{
    Absence, Access, Compression, Host, Key, Pages, Password, Plain, Policy, Protocol, Rate, Site,
};
use sha2::Sha256;

use super::client::{Asked, H2cOrigin, Http2, Respond, request, run, send_all, whole};
use super::link;
use crate::stage::{Plan, Stage, app};

/// What a client speaks.
#[derive(Debug, Clone, Copy)]
enum Client {
    Http1,
    Http2,
}

const CLIENTS: [Client; 2] = [Client::Http1, Client::Http2];

/// An answer as either client read it; names in lower case.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
    trailers: HeaderMap,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as its coding says.
    fn plain(&self) -> String {
        let (mut text, body) = (String::new(), &self.body[..]);
        match self.field("content-encoding") {
            None => body.take(u64::MAX).read_to_string(&mut text),
            Some("gzip") => flate2::read::GzDecoder::new(body).read_to_string(&mut text),
            Some("br") => brotli::Decompressor::new(body, 4096).read_to_string(&mut text),
            Some(_) => zstd::stream::read::Decoder::new(body).unwrap().read_to_string(&mut text),
        }
        .unwrap();
        text
    }
}

impl Client {
    fn stage(self, policy: Policy, at: std::net::SocketAddr) -> Stage {
        let plan = match self {
            Self::Http1 => Plan::default(),
            Self::Http2 => link::plan(),
        };
        Stage::at(&Plan { protocol: Protocol::H2c, policy, ..plan }, &[at])
    }

    fn ask(self, stage: &Stage, line: &str, fields: &[(&'static str, &str)], body: &str) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        match self {
            Self::Http1 => {
                let mut text = format!("{line} HTTP/1.1\r\nHost: app.test\r\n");
                for (name, value) in fields {
                    write!(text, "{name}: {value}\r\n").unwrap();
                }
                if !body.is_empty() {
                    write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
                }
                let mut client = stage.client();
                client.send(format!("{text}\r\n{body}"));
                let (head, body) = if method == "HEAD" {
                    (client.head().unwrap(), Vec::new())
                } else {
                    let answer = client.answer().unwrap();
                    (answer.head, answer.body)
                };
                let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
                let fields =
                    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
                let (status, trailers) = (crate::stage::status(&head), HeaderMap::new());
                Answer { status, fields: fields.collect(), body, trailers }
            }
            Self::Http2 => run(async {
                let mut client = Http2::connect(stage).await;
                let mut ask = request(method.parse().unwrap(), path);
                for (name, value) in fields {
                    ask.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
                }
                if !body.is_empty() {
                    ask.headers_mut().insert("content-length", body.len().into());
                }
                let (answer, mut up) = client.open(ask).await.unwrap();
                up.send_data(Bytes::copy_from_slice(body.as_bytes()), true).unwrap();
                let answer = whole(answer.await.unwrap()).await.unwrap();
                let field = |(name, value): (&http::HeaderName, &HeaderValue)| {
                    (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
                };
                Answer {
                    status: answer.status,
                    fields: answer.fields.iter().map(field).collect(),
                    body: answer.body,
                    trailers: answer.trailers.unwrap_or_default(),
                }
            }),
        }
    }
}

fn text() -> String {
    "<li>the quick brown fox</li>\n".repeat(200)
}

/// Answers with a page and trailers; at `/coded` with what is coded already, at `/sized` with its
/// length and without trailers.
async fn page(asked: Asked, mut body: RecvStream, mut respond: Respond) {
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    let response = Response::builder().header("content-type", "text/html").header("etag", "\"a\"");
    let response = match asked.path.as_str() {
        "/sized" => response.header("content-length", text().len()),
        "/coded" => response.header("content-encoding", "gzip"),
        _ => response,
    };
    let response = response.body(()).unwrap();
    if asked.method == Method::HEAD {
        respond.send_response(response, true).unwrap();
        return;
    }
    let mut down = respond.send_response(response, false).unwrap();
    send_all(&mut down, Bytes::from(text())).await.unwrap();
    if asked.path == "/sized" {
        down.send_data(Bytes::new(), true).unwrap();
        return;
    }
    let trailers = HeaderMap::from_iter([("sum".parse().unwrap(), HeaderValue::from_static("7"))]);
    down.send_trailers(trailers).unwrap();
}

#[test]
fn text_is_compressed() {
    let origin = H2cOrigin::start(page);
    for client in CLIENTS {
        let policy = Policy { compression: Compression::Text, ..Policy::default() };
        let stage = client.stage(policy, origin.address);
        for coding in ["gzip", "br", "zstd"] {
            let accept = [("accept-encoding", coding)];
            let get = client.ask(&stage, "GET /", &accept, "");
            assert_eq!(get.field("content-encoding"), Some(coding), "{client:?}");
            assert_eq!(get.field("vary"), Some("Accept-Encoding"), "{client:?}");
            assert_eq!(get.field("etag"), Some("W/\"a\""), "{client:?}");
            assert_eq!(get.field("content-length"), None, "{client:?}");
            assert!(get.body.len() < text().len() / 4, "{client:?} {coding}");
            assert_eq!(get.plain(), text(), "{client:?} {coding}");
            if let Client::Http2 = client {
                assert_eq!(get.trailers.get("sum").unwrap(), "7", "{coding}");
            }
            let head = client.ask(&stage, "HEAD /", &accept, "");
            for name in ["content-encoding", "content-length", "vary", "etag"] {
                assert_eq!(head.field(name), get.field(name), "{client:?} {coding} {name}");
            }
            let coded = client.ask(&stage, "GET /coded", &accept, "");
            assert_eq!(coded.field("content-encoding"), Some("gzip"), "{client:?}");
            assert_eq!(coded.text(), text(), "{client:?}: coded once is enough");
        }
        let whole = client.ask(&stage, "GET /sized", &[("accept-encoding", "identity")], "");
        assert_eq!((whole.field("content-encoding"), whole.text()), (None, text()), "{client:?}");
        let length = text().len().to_string();
        assert_eq!(whole.field("content-length"), Some(&length[..]), "{client:?}");
        let coded = client.ask(&stage, "GET /sized", &[("accept-encoding", "zstd")], "");
        assert_eq!((coded.field("content-length"), coded.plain()), (None, text()), "{client:?}");
    }
    let forwarded = |asked: &Asked| asked.fields.contains_key("accept-encoding");
    assert!(origin.seen().iter().all(forwarded), "the app is told what the client takes");
}

#[test]
fn rules_hold_before_anything_reaches_the_app() {
    let mut hmac = Hmac::<Sha256>::new_from_slice(&[9; 32]).unwrap();
    hmac.update(b"ann:secret");
    let digests = vec![hmac.finalize().into_bytes().into()];
    let password = Password { realm: "staging".into(), key: Key::new([9; 32]), digests };
    let maintenance = Absence {
        title: "We are moving house".into(),
        explanation: "Back at noon.".into(),
        retry_after: Duration::from_mins(30),
    };
    let authorized: &[(&str, &str)] = &[("authorization", "Basic YW5uOnNlY3JldA==")];
    let denied = Access { deny: vec!["127.0.0.0/8".parse().unwrap()], ..Access::default() };
    let allowed = Access { allow: vec!["192.0.2.0/24".parse().unwrap()], ..Access::default() };
    let rate = Rate { requests: 1, per: Duration::from_hours(1), burst: 2 };
    let free = Policy::default;
    for client in CLIENTS {
        let origin = H2cOrigin::start(page);
        let ask = |policy: Policy, fields: &[(&'static str, &str)], body: &str| {
            let stage = client.stage(policy, origin.address);
            client.ask(&stage, "POST /", fields, body)
        };
        for access in [denied.clone(), allowed.clone()] {
            let answer = ask(Policy { access, ..free() }, &[], "");
            assert_eq!(answer.status, 403, "{client:?}");
        }
        let gate = Policy { password: Some(password.clone()), ..free() };
        let answer = ask(gate.clone(), &[], "");
        let challenge = "Basic realm=\"staging\", charset=\"UTF-8\"";
        assert_eq!((answer.status, answer.field("www-authenticate")), (401, Some(challenge)));
        let answer = ask(Policy { maintenance: Some(maintenance.clone()), ..free() }, &[], "");
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1800")));
        assert!(answer.text().starts_with("We are moving house\n"), "{client:?}: {answer:?}");
        let answer = ask(Policy { most_body: Some(10), ..free() }, &[], "hello world");
        assert_eq!(answer.status, 413, "{client:?}");
        assert!(origin.seen().is_empty(), "{client:?}: {:?}", origin.seen());

        assert_eq!(ask(gate, authorized, "").status, 200, "{client:?}");
        let seen = origin.seen().pop().unwrap();
        assert!(!seen.fields.contains_key("authorization"), "{client:?}: the app is not told");
        let stage = client.stage(Policy { rate: Some(rate), ..free() }, origin.address);
        let statuses = [(); 3].map(|()| client.ask(&stage, "GET /", &[], "").status);
        assert_eq!(statuses, [200, 200, 429], "{client:?}");
        assert_eq!(origin.seen().len(), 3, "{client:?}");
    }
}

#[test]
fn who_comes_to_the_wrong_place_is_sent_on() {
    let origin = H2cOrigin::start(page);
    let redirected = Site { plain: Plain::Redirected { port: 8443 }, ..Site::of(app()) };
    let moved = Site { moved_to: Host::parse("shop.test").ok(), ..Site::of(app()) };
    for (client, site, expected) in [
        (Client::Http1, redirected.clone(), Some("https://app.test:8443/a?b=%20c")),
        (Client::Http2, redirected, None),
        (Client::Http1, moved.clone(), Some("http://shop.test")),
        (Client::Http2, moved, Some("https://shop.test")),
    ] {
        let stage = client.stage(Policy::default(), origin.address);
        let mut table = (**stage.table.borrow()).clone();
        table.generation += 1;
        table.sites.insert("app.test".parse().unwrap(), site);
        stage.table.send_replace(Arc::new(table));
        stage.await_traffic("the site", |traffic| traffic.applied == Some(2));
        let before = origin.seen().len();
        let answer = client.ask(&stage, "GET /a?b=%20c", &[], "");
        let Some(expected) = expected else {
            assert_eq!((answer.status, answer.text()), (200, text()), "it is there already");
            continue;
        };
        let location = answer.field("location").unwrap();
        assert_eq!(answer.status, 301, "{client:?}");
        assert!(location.starts_with(expected) && location.ends_with("/a?b=%20c"), "{location}");
        assert_eq!(origin.seen().len(), before, "{client:?}: the app is not asked");
    }
}

#[test]
fn pages_say_that_the_app_is_broken() {
    // Takes connections, and ends them instead of speaking.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let own: BTreeMap<u16, Box<str>> = [(502, "<h1>Broken</h1>".into())].into();
    for client in CLIENTS {
        let stage = client.stage(Policy::default(), address);
        let ask = |stage: &Stage, accept| client.ask(stage, "GET /", &[("accept", accept)], "");
        let text = ask(&stage, "*/*");
        assert_eq!((text.status, text.field("cache-control")), (502, Some("no-store")));
        assert!(text.text().contains(text.field("x-request-id").unwrap()), "{client:?}: {text:?}");
        let json = ask(&stage, "application/json");
        assert!(json.text().starts_with("{\"error\":{\"status\":502,"), "{client:?}: {json:?}");
        let html = ask(&stage, "text/html");
        assert!(html.text().contains("<h1>"), "{client:?}: {html:?}");
        let head = client.ask(&stage, "HEAD /", &[], "");
        assert_eq!((head.status, head.body.len()), (502, 0), "{client:?}");

        let pages = Pages(Arc::new(own.clone()));
        let stage = client.stage(Policy { pages, ..Policy::default() }, address);
        assert_eq!(ask(&stage, "text/html").text(), "<h1>Broken</h1>", "{client:?}");
        let json = ask(&stage, "application/json");
        assert!(json.text().starts_with("{\"error\":{\"status\":502,"), "{client:?}: {json:?}");
    }
}
