//! The rules of a service hold over HTTP/2 as they do over HTTP/1.1.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request};
use proxy::{Compression, Hsts, Key, Password, Policy, Rate, Site, Subdomains};
use sha2::Sha256;

use super::client::{Http2, request, run, send_all, whole};
use super::link::plan;
use crate::stage::{Origin, Plan, Stage, Then, app};

fn stage(policy: Policy, origin: &Origin) -> Stage {
    Stage::planned(&Plan { policy, ..plan() }, &[origin])
}

fn accepting(coding: &'static str) -> Request<()> {
    let mut ask = request(Method::GET, "/");
    ask.headers_mut().insert("accept-encoding", HeaderValue::from_static(coding));
    ask
}

fn plain(coding: &str, body: &[u8]) -> String {
    let mut text = Vec::new();
    // What is cut off is left out.
    let _ = match coding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut text),
        "br" => brotli::Decompressor::new(body, 4096).read_to_end(&mut text),
        _ => zstd::stream::read::Decoder::new(body).unwrap().read_to_end(&mut text),
    };
    String::from_utf8(text).unwrap()
}

#[test]
fn a_password_is_asked_for_and_kept_from_the_app() {
    let mut hmac = Hmac::<Sha256>::new_from_slice(&[9; 32]).unwrap();
    hmac.update(b"ann:secret");
    let digests = vec![hmac.finalize().into_bytes().into()];
    let password = Password { realm: "staging".into(), key: Key::new([9; 32]), digests };
    let policy = Policy { password: Some(password), ..Policy::default() };
    let origin = Origin::ok();
    let stage = stage(policy, &origin);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let refused = client.get("/").await.unwrap();
        assert_eq!(refused.status, 401);
        let challenge = "Basic realm=\"staging\", charset=\"UTF-8\"";
        assert_eq!(refused.field("www-authenticate"), Some(challenge));
        let mut ask = request(Method::GET, "/");
        let value = HeaderValue::from_static("Basic YW5uOnNlY3JldA==");
        ask.headers_mut().insert("authorization", value);
        assert_eq!(client.send(ask).await.unwrap().status, 200);
    });
    assert_eq!(origin.seen().len(), 1);
    assert_eq!(origin.seen()[0].field("authorization"), None);
}

#[test]
fn bodies_and_rates_have_bounds() {
    let rate = Rate { requests: 1, per: Duration::from_hours(1), burst: 4 };
    let policy = Policy { most_body: Some(10), rate: Some(rate), ..Policy::default() };
    let origin = Origin::ok();
    let stage = stage(policy, &origin);
    run(async {
        let mut client = Http2::connect(&stage).await;
        // Said beforehand.
        let mut ask = request(Method::POST, "/");
        ask.headers_mut().insert("content-length", HeaderValue::from_static("11"));
        let (answer, _body) = client.open(ask).await.unwrap();
        assert_eq!(whole(answer.await.unwrap()).await.unwrap().status, 413);
        // Found out while it comes.
        let (answer, mut body) = client.open(request(Method::POST, "/")).await.unwrap();
        send_all(&mut body, Bytes::from_static(b"hello world")).await.unwrap();
        assert_eq!(whole(answer.await.unwrap()).await.unwrap().status, 413);
        // Within the bound, and then once too often.
        let (answer, mut body) = client.open(request(Method::POST, "/")).await.unwrap();
        body.send_data(Bytes::from_static(b"hello"), true).unwrap();
        assert_eq!(whole(answer.await.unwrap()).await.unwrap().status, 200);
        assert_eq!(client.get("/").await.unwrap().status, 200);
        let refused = client.get("/").await.unwrap();
        assert_eq!((refused.status, refused.field("retry-after")), (429, Some("3600")));
    });
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn transport_security_is_asked_for() {
    let stage = Stage::planned(&plan(), &[&Origin::ok()]);
    let mut table = (**stage.table.borrow()).clone();
    let hsts = Hsts { max_age: Duration::from_hours(24), subdomains: Subdomains::Included };
    let site = Site { hsts: Some(hsts), ..Site::of(app()) };
    table.generation += 1;
    table.sites.insert("app.test".parse().unwrap(), site);
    stage.table.send_replace(Arc::new(table));
    stage.await_traffic("the site", |traffic| traffic.applied == Some(2));
    run(async {
        let answer = Http2::connect(&stage).await.get("/").await.unwrap();
        let said = answer.field("strict-transport-security");
        assert_eq!(said, Some("max-age=86400; includeSubDomains"));
    });
}

#[test]
fn text_is_compressed_and_a_streamed_page_is_not_held_back() {
    let policy = Policy { compression: Compression::Text, ..Policy::default() };
    for coding in ["gzip", "br", "zstd"] {
        let (pieces, sent) = mpsc::channel::<&str>();
        let sent = std::sync::Mutex::new(sent);
        let origin = Origin::start(move |_, stream| {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"a\"\r\n\
                        Transfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            for piece in sent.lock().unwrap().iter() {
                let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
                stream.write_all(chunk.as_bytes()).unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
            Then::KeepOpen
        });
        let stage = stage(policy.clone(), &origin);
        run(async {
            let mut client = Http2::connect(&stage).await;
            let (answer, mut body) = client.open(accepting(coding)).await.unwrap();
            body.send_data(Bytes::new(), true).unwrap();
            let (parts, mut stream) = answer.await.unwrap().into_parts();
            assert_eq!(parts.headers["content-encoding"], coding);
            assert_eq!(parts.headers["vary"], "Accept-Encoding");
            assert_eq!(parts.headers["etag"], "W/\"a\"");
            let (mut coded, mut expected) = (Vec::new(), String::new());
            for piece in ["<h1>first</h1>", "<p>second</p>"] {
                pieces.send(piece).unwrap();
                expected.push_str(piece);
                while plain(coding, &coded) != expected {
                    coded.extend_from_slice(&stream.data().await.unwrap().unwrap());
                }
            }
            drop(pieces);
            while let Some(piece) = stream.data().await {
                coded.extend_from_slice(&piece.unwrap());
            }
            assert_eq!(plain(coding, &coded), expected, "{coding}");
        });
    }
}

#[test]
fn what_head_is_told_is_what_get_is_told() {
    let text = "x".repeat(5000);
    let origin = Origin::start(move |seen, stream| {
        let body = if seen.head.starts_with("HEAD") { "" } else { &text };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 5000\r\n\r\n";
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        Then::KeepOpen
    });
    let stage = stage(Policy { compression: Compression::Text, ..Policy::default() }, &origin);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let get = client.send(accepting("zstd")).await.unwrap();
        assert_eq!(plain("zstd", &get.body), "x".repeat(5000));
        let mut ask = accepting("zstd");
        *ask.method_mut() = Method::HEAD;
        let head = client.send(ask).await.unwrap();
        for name in ["content-encoding", "content-length", "vary"] {
            assert_eq!(head.field(name), get.field(name), "{name}");
        }
        assert!(head.body.is_empty() && get.field("content-length").is_none());
    });
}
