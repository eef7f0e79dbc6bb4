//! Upstreams that speak h2c: for clients of either protocol, and for gRPC.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use proxy::{Limits, Protocol};

use super::client::{Asked, H2cOrigin, Http2, Respond, request, run, send_all, whole};
use super::link::plan;
use crate::stage::{Plan, Stage};

fn h2c() -> Plan {
    Plan { protocol: Protocol::H2c, ..plan() }
}

/// A plan whose listener is plain.
fn plain() -> Plan {
    Plan { protocol: Protocol::H2c, ..Plan::default() }
}

/// Sends back the body with its trailers and its length in a field.
async fn echo(asked: Asked, mut body: RecvStream, mut respond: Respond) {
    let response = Response::builder().header("x-method", asked.method.as_str()).body(()).unwrap();
    let Ok(mut down) = respond.send_response(response, false) else { return };
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
        if send_all(&mut down, piece).await.is_err() {
            return;
        }
    }
    let mut trailers = body.trailers().await.ok().flatten().unwrap_or_default();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = down.send_trailers(trailers);
}

/// Answers at once, with nothing.
fn nothing(mut respond: Respond) {
    let _ = respond.send_response(Response::new(()), true);
}

#[test]
fn http_1_clients_reach_it() {
    let origin = H2cOrigin::start(echo);
    let stage = Stage::at(&plain(), &[origin.address]);
    let mut client = stage.client();
    for _ in 0..3 {
        client.send("POST /a?b HTTP/1.1\r\nHost: app.test:81\r\nContent-Length: 4\r\nConnection: x\r\nX: y\r\n\r\nbody");
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"body"[..]));
        assert!(answer.head.contains("Transfer-Encoding: chunked\r\n"), "{}", answer.head);
    }
    client.send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert!(client.head().unwrap().contains("x-method: HEAD\r\n"));
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n");
    assert_eq!(client.answer().unwrap().body, b"abc");
    let seen = origin.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/a"));
    assert_eq!(seen[0].authority, "app.test:81");
    assert_eq!(seen[0].fields.get("te").unwrap(), "trailers");
    for gone in ["connection", "host", "x", "transfer-encoding"] {
        assert!(!seen.iter().any(|seen| seen.fields.contains_key(gone)), "{gone}");
    }
    assert!(seen.iter().all(|seen| seen.connection == 0), "streams share a connection");
}

#[test]
fn large_bodies_cross_both_ways() {
    let origin = H2cOrigin::start(echo);
    let stage = Stage::at(&plain(), &[origin.address]);
    let body = vec![b'x'; 2_000_000];
    let mut client = stage.client();
    let mut sender = client.stream.try_clone().unwrap();
    let sent = body.clone();
    let sending = std::thread::spawn(move || {
        use std::io::Write as _;
        let head = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2000000\r\n\r\n";
        sender.write_all(head.as_bytes()).unwrap();
        sender.write_all(&sent).unwrap();
    });
    assert!(client.answer().unwrap().body == body);
    sending.join().unwrap();
}

#[test]
fn a_stream_of_messages_flows_both_ways_at_once() {
    let origin = H2cOrigin::start(echo);
    let stage = Stage::at(&h2c(), &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let mut ask = request(Method::POST, "/pkg.Service/Method");
        ask.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        ask.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        let (answer, mut up) = client.open(ask).await.unwrap();
        up.send_data(Bytes::from_static(b"first"), false).unwrap();
        let mut down = answer.await.unwrap().into_body();
        for word in ["first", "second", "third"] {
            let mut heard = Vec::new();
            while heard.len() < word.len() {
                let piece = down.data().await.unwrap().unwrap();
                heard.extend_from_slice(&piece);
            }
            assert_eq!(heard, word.as_bytes());
            let next = if word == "first" { "second" } else { "third" };
            if word != "third" {
                up.send_data(Bytes::from_static(next.as_bytes()), false).unwrap();
            }
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("up-sum", HeaderValue::from_static("9"));
        up.send_trailers(trailers).unwrap();
        assert!(down.data().await.is_none());
        let trailers = down.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("grpc-status").unwrap(), "0");
        assert_eq!(trailers.get("up-sum").unwrap(), "9");
    });
}

fn grpc(path: &str) -> Request<()> {
    let mut ask = request(Method::POST, path);
    ask.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc+proto"));
    ask
}

#[test]
fn an_answer_of_fields_only_stays_one() {
    let origin = H2cOrigin::start(|_, _, mut respond: Respond| async move {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "5")
            .body(())
            .unwrap();
        let _ = respond.send_response(response, true);
    });
    let stage = Stage::at(&h2c(), &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let answer = client.send(grpc("/")).await.unwrap();
        assert_eq!((answer.status, answer.field("grpc-status")), (200, Some("5")));
        assert!(answer.body.is_empty() && answer.trailers.is_none());
    });
}

#[test]
fn a_grpc_client_is_told_in_its_own_terms_that_nobody_answers() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stage = Stage::at(&h2c(), &[closed]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let answer = client.send(grpc("/")).await.unwrap();
        assert_eq!((answer.status, answer.field("grpc-status")), (200, Some("14")));
        assert_eq!(answer.field("content-type"), Some("application/grpc"));
        let answer = client.get("/").await.unwrap();
        assert_eq!(answer.status, 502, "others get a page");
    });
}

#[test]
fn what_an_upstream_refused_is_sent_again() {
    let origin = H2cOrigin::start(|asked: Asked, _, mut respond: Respond| async move {
        if asked.connection == 0 {
            respond.send_reset(Reason::REFUSED_STREAM);
        } else {
            nothing(respond);
        }
    });
    let stage = Stage::at(&h2c(), &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        // Not idempotent, and sent again all the same: the upstream said that it did nothing.
        let answer = client.send(request(Method::POST, "/")).await.unwrap();
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn a_reset_in_the_middle_of_an_answer_reaches_the_client() {
    let origin = H2cOrigin::start(|_, _, mut respond: Respond| async move {
        let mut down = respond.send_response(Response::new(()), false).unwrap();
        down.send_data(Bytes::from_static(b"half"), false).unwrap();
        tokio::task::yield_now().await;
        down.send_reset(Reason::INTERNAL_ERROR);
    });
    let stage = Stage::at(&h2c(), &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let error = client.get("/").await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    });
}

#[test]
fn a_client_that_leaves_takes_its_stream_along() {
    let (told, mut reset) = tokio::sync::mpsc::unbounded_channel();
    let origin = H2cOrigin::start(move |_, _, mut respond: Respond| {
        let told = told.clone();
        async move {
            let reason = poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
            told.send(reason).unwrap();
        }
    });
    let stage = Stage::at(&h2c(), &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let (answer, mut up) = client.open(request(Method::GET, "/")).await.unwrap();
        up.send_data(Bytes::new(), true).unwrap();
        while origin.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await; // between looks
        }
        up.send_reset(Reason::CANCEL);
        drop(answer);
        assert_eq!(reset.recv().await, Some(Reason::CANCEL));
    });
}

#[test]
fn many_streams_share_few_connections() {
    let origin = H2cOrigin::start(echo);
    let stage = Stage::at(&Plan { workers: 1, ..h2c() }, &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        client.get("/").await.unwrap();
        let mut asked = Vec::new();
        for _ in 0..300 {
            let (answer, mut up) = client.open(request(Method::POST, "/")).await.unwrap();
            up.send_data(Bytes::from_static(b"x"), true).unwrap();
            asked.push(tokio::spawn(async move { whole(answer.await?).await }));
        }
        for answer in asked {
            assert_eq!(answer.await.unwrap().unwrap().body, b"x");
        }
    });
    assert!(origin.open() <= 2, "{}", origin.open());
}

#[test]
fn an_upstream_that_says_goaway_is_asked_again_on_another_connection() {
    let address = leaving();
    let stage = Stage::at(&h2c(), &[address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        for _ in 0..20 {
            assert_eq!(client.get("/").await.unwrap().status, 200);
        }
    });
}

/// An h2c server that takes its leave after every answer.
fn leaving() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        run_forever(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let Ok(mut incoming) = h2::server::handshake(stream).await else { return };
                    while let Some(Ok((_, mut respond))) = incoming.accept().await {
                        let _ = respond.send_response(Response::new(()), true);
                        incoming.graceful_shutdown();
                    }
                });
            }
        });
    });
    address
}

fn run_forever(side: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(side);
}

#[test]
fn connections_are_closed_when_the_upstream_leaves_the_table() {
    let origin = H2cOrigin::start(echo);
    let stage = Stage::at(&h2c(), &[origin.address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let (answer, mut up) = client.open(request(Method::POST, "/")).await.unwrap();
        let mut down = answer.await.unwrap().into_body();
        assert_eq!(origin.open(), 1);
        let generation = stage.publish(&[]);
        stage.await_traffic("the table", |traffic| traffic.applied == Some(generation));
        // The stream that is open may end.
        up.send_data(Bytes::from_static(b"late"), true).unwrap();
        assert_eq!(down.data().await.unwrap().unwrap(), "late");
        assert!(down.data().await.is_none());
        while origin.open() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await; // between looks
        }
    });
}

#[test]
fn an_upstream_that_speaks_something_else_is_found_out() {
    let origin = crate::stage::Origin::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let limits = Limits {
        connect: Duration::from_millis(500),
        first_byte: Duration::from_millis(500),
        ..Limits::default()
    };
    let stage = Stage::at(&Plan { limits, ..plain() }, &[origin.address]);
    let answer = stage.exchange("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 50"), "{answer}");
}
