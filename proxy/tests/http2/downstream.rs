//! Requests in streams: what the origin sees of them, and what becomes of their answers.

use std::future::poll_fn;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::ext::Protocol;
use http::{HeaderMap, HeaderValue, Method, Request};
use proxy::Abort;

use super::client::{Http2, request, run, send_all, whole};
use super::link::plan;
use crate::stage::{Origin, Stage, Then, id};
use crate::upgrade::echo;

/// A client of a stage with this origin.
fn visit(origin: &Origin, visit: impl AsyncFnOnce(Http2)) {
    let stage = Stage::planned(&plan(), &[origin]);
    run(async { visit(Http2::connect(&stage).await).await });
}

#[test]
fn a_request_is_written_for_the_origin_as_any_other() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let mut ask = request(Method::GET, "/a?b=%20");
        let fields = ask.headers_mut();
        for crumb in ["a=1", "b=2", "c=3"] {
            fields.append("cookie", HeaderValue::from_static(crumb));
        }
        fields.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        fields.insert("x-request-id", HeaderValue::from_static("abc"));
        fields.insert("te", HeaderValue::from_static("trailers"));
        let answer = client.send(ask).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
        assert_eq!(answer.field("content-length"), Some("2"));
        assert_eq!(answer.field("x-request-id"), Some("abc"));
        assert!(answer.field("date").is_some() && answer.field("connection").is_none());
    });
    let seen = &origin.seen()[0];
    assert!(seen.head.starts_with("GET /a?b=%20 HTTP/1.1\r\nHost: app.test\r\n"), "{}", seen.head);
    assert_eq!(seen.field("Cookie"), Some("a=1; b=2; c=3"));
    assert_eq!(seen.field("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("https"));
    assert_eq!(seen.field("X-Forwarded-Host"), Some("app.test"));
    assert_eq!(seen.field("Via"), Some("2.0 edge"));
    assert_eq!(seen.field("TE"), None);
    assert_eq!(origin.faults(), Vec::<String>::new());
}

#[test]
fn large_bodies_cross_both_ways_within_their_windows() {
    let body = vec![b'x'; 3_000_000];
    let mut reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(100_000) {
        reply.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        reply.extend_from_slice(piece);
        reply.extend_from_slice(b"\r\n");
    }
    reply.extend_from_slice(b"0\r\n\r\n");
    let origin = Origin::saying(reply);
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        for length in [None, Some(body.len())] {
            let mut ask = request(Method::POST, "/");
            if let Some(length) = length {
                ask.headers_mut().insert("content-length", length.into());
            }
            let (answer, mut up) = client.open(ask).await.unwrap();
            send_all(&mut up, Bytes::from(body.clone())).await.unwrap();
            up.send_data(Bytes::new(), true).unwrap();
            let answer = whole(answer.await.unwrap()).await.unwrap();
            assert!(answer.body == body, "what came down is what was sent");
        }
    });
    let seen = origin.seen();
    assert!(seen.iter().all(|seen| seen.body == body), "what went up is what was sent");
    assert_eq!(seen[0].field("Transfer-Encoding"), Some("chunked"));
    assert_eq!(seen[1].field("Content-Length"), Some("3000000"));
}

#[test]
fn trailers_travel_both_ways() {
    let origin = Origin::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSum: 7\r\nHost: evil\r\n\r\n",
    );
    visit(&origin, async |mut client| {
        let (answer, mut up) = client.open(request(Method::POST, "/")).await.unwrap();
        up.send_data(Bytes::from_static(b"body"), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("up-sum", HeaderValue::from_static("9"));
        up.send_trailers(trailers).unwrap();
        let answer = whole(answer.await.unwrap()).await.unwrap();
        let trailers = answer.trailers.unwrap();
        assert_eq!((trailers.len(), trailers.get("sum").unwrap().to_str().unwrap()), (1, "7"));
    });
    assert_eq!(origin.seen()[0].body, b"body");
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    for (method, status, length) in [
        (Method::HEAD, "200 OK", Some("12")),
        (Method::GET, "204 No Content", None),
        (Method::GET, "304 Not Modified", Some("12")),
    ] {
        let origin = Origin::saying(format!("HTTP/1.1 {status}\r\nContent-Length: 12\r\n\r\n"));
        let stage = Stage::planned(&plan(), &[&origin]);
        run(async {
            let mut client = Http2::connect(&stage).await;
            let answer = client.send(request(method.clone(), "/")).await.unwrap();
            assert_eq!((answer.body.len(), answer.field("content-length")), (0, length));
        });
    }
}

#[test]
fn interim_answers_go_before_the_final_one() {
    let origin = Origin::saying(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    visit(&origin, async |mut client| {
        let (mut answer, mut up) = client.open(request(Method::GET, "/")).await.unwrap();
        up.send_data(Bytes::new(), true).unwrap();
        let interim = poll_fn(|cx| answer.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!((interim.status().as_u16(), interim.headers().len()), (103, 1));
        assert_eq!(answer.await.unwrap().status().as_u16(), 200);
    });
}

#[test]
fn many_streams_are_served_at_once() {
    let origin = Origin::start(|seen, stream| {
        let path = seen.head.split(' ').nth(1).unwrap().to_owned();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
        stream.write_all(answer.as_bytes()).unwrap();
        Then::KeepOpen
    });
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        client.get("/").await.unwrap(); // by then it knows how many streams it may open
        let mut asked = Vec::new();
        for number in 0..500 {
            let (answer, mut up) =
                client.open(request(Method::GET, &format!("/{number}"))).await.unwrap();
            up.send_data(Bytes::new(), true).unwrap();
            asked.push((number, tokio::spawn(async move { whole(answer.await?).await })));
        }
        for (number, answer) in asked {
            let answer = answer.await.unwrap().unwrap();
            assert_eq!(answer.body, format!("/{number}").as_bytes());
        }
    });
}

#[test]
fn an_early_answer_ends_the_upload_without_an_error() {
    let origin = Origin::start(|_, _| unreachable!("the body never ends"));
    drop(origin);
    let address = early();
    let stage = Stage::at(&plan(), &[address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let (answer, mut up) = client.open(request(Method::POST, "/")).await.unwrap();
        up.send_data(Bytes::from_static(b"some"), false).unwrap();
        let answer = whole(answer.await.unwrap()).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (413, &b"no"[..]));
        let reset = poll_fn(|cx| up.poll_reset(cx)).await.unwrap();
        assert_eq!(reset, Reason::NO_ERROR);
        assert_eq!(client.get("/").await.unwrap().status, 413, "the connection goes on");
    });
}

/// An upstream that answers 413 to every head at once, whatever follows.
fn early() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = crate::stage::read_head(&mut stream, &mut Vec::new());
            let _ =
                stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
            std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    address
}

#[test]
fn a_client_that_resets_its_stream_takes_the_request_back() {
    let (origin, _silent) = silent();
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let (answer, mut up) = client.open(request(Method::GET, "/")).await.unwrap();
        up.send_data(Bytes::new(), true).unwrap();
        stage_in_flight(&stage, &origin, 1).await;
        up.send_reset(Reason::CANCEL);
        drop(answer);
        stage_in_flight(&stage, &origin, 0).await;
    });
}

/// An origin that never answers, until the sender is dropped.
pub(super) fn silent() -> (Origin, std::sync::mpsc::Sender<()>) {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    let origin = Origin::start(move |_, _| {
        let _ = receiver.lock().unwrap().recv();
        Then::Close
    });
    (origin, sender)
}

async fn stage_in_flight(stage: &Stage, origin: &Origin, count: usize) {
    let upstream = id(origin.address);
    while stage.edge.traffic().upstreams.get(&upstream).map_or(0, |figures| figures.in_flight)
        != count
    {
        tokio::time::sleep(Duration::from_millis(1)).await; // between looks
    }
}

#[test]
fn an_answer_that_breaks_off_resets_only_its_stream() {
    let origin = Origin::start(|seen, stream| {
        let answer: &[u8] = if seen.head.starts_with("GET /broken ") {
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        };
        stream.write_all(answer).unwrap();
        Then::Close
    });
    let mut stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let error = client.get("/broken").await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        assert_eq!(client.get("/").await.unwrap().body, b"ok");
        let record = stage.records.next().await.unwrap().remove(0);
        assert_eq!((record.abort, record.status), (Some(Abort::UpstreamClosed), Some(200)));
    });
}

#[test]
fn pages_are_the_same_as_over_http_1() {
    let origin = Origin::saying("nonsense\r\n\r\n");
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let answer = client.get("/").await.unwrap();
        assert_eq!((answer.status, answer.field("cache-control")), (502, Some("no-store")));
        let id = answer.field("x-request-id").unwrap();
        assert!(String::from_utf8_lossy(&answer.body).contains(id));
        let answer = client.send(request(Method::HEAD, "/")).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (502, 0));
    });
}

fn connect(path: &str) -> Request<()> {
    let mut ask = request(Method::CONNECT, path);
    ask.extensions_mut().insert(Protocol::from_static("websocket"));
    ask.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
    ask
}

#[test]
fn a_websocket_is_a_stream_here_and_an_upgrade_there() {
    let address = echo();
    let stage = Stage::at(&plan(), &[address]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        client.get("/").await.unwrap(); // by then the settings that allow it have arrived
        let (answer, mut up) = client.open(connect("/ws")).await.unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert!(!answer.headers().contains_key("upgrade"));
        assert_eq!(stage.edge.traffic().upstreams[&id(address)].tunnels, 1);
        let mut down = answer.into_body();
        for size in [1, 1000, 200_000] {
            let message = Bytes::from(vec![b'x'; size]);
            send_all(&mut up, message.clone()).await.unwrap();
            let mut echoed = Vec::new();
            while echoed.len() < size {
                let piece = down.data().await.unwrap().unwrap();
                down.flow_control().release_capacity(piece.len()).unwrap();
                echoed.extend_from_slice(&piece);
            }
            assert!(echoed == message);
        }
        up.send_data(Bytes::new(), true).unwrap();
        // The end of bytes goes both ways.
        while let Some(piece) = down.data().await {
            assert!(piece.unwrap().is_empty());
        }
    });
}

#[test]
fn an_upstream_that_does_not_switch_has_not_agreed_to_a_websocket() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        client.get("/").await.unwrap();
        let (answer, _up) = client.open(connect("/ws")).await.unwrap();
        assert_eq!(answer.await.unwrap().status().as_u16(), 502);
    });
    let seen = &origin.seen()[1];
    assert!(seen.head.starts_with("GET /ws HTTP/1.1\r\n"), "{}", seen.head);
    assert_eq!(seen.field("Upgrade"), Some("websocket"));
    assert_eq!(seen.field("Sec-WebSocket-Version"), Some("13"));
    assert_eq!(seen.field("Sec-WebSocket-Key").unwrap().len(), 24);
}

#[test]
fn a_request_is_held_and_sent_again_as_over_http_1() {
    let origin = Origin::ok();
    let stage = Stage::at(&plan(), &[]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let (answer, mut up) = client.open(request(Method::GET, "/")).await.unwrap();
        up.send_data(Bytes::new(), true).unwrap();
        while stage.edge.traffic().services.values().all(|service| service.held == 0) {
            tokio::time::sleep(Duration::from_millis(1)).await; // between looks
        }
        stage.publish(&[origin.address]);
        assert_eq!(answer.await.unwrap().status().as_u16(), 200);
    });
}

#[test]
fn a_client_is_asked_to_leave_when_the_edge_stops_and_may_finish() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::start(move |_, stream| {
        let _ = gate.lock().unwrap().recv();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        Then::KeepOpen
    });
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let (answer, mut up) = client.open(request(Method::GET, "/")).await.unwrap();
        up.send_data(Bytes::new(), true).unwrap();
        stage_in_flight(&stage, &origin, 1).await;
        let stopped = tokio::spawn(stage.edge.shutdown(crate::stage::PATIENCE));
        // GOAWAY arrives while the stream is open: no other one can be opened.
        while client.open(request(Method::GET, "/")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await; // between looks
        }
        drop(release);
        let answer = whole(answer.await.unwrap()).await.unwrap();
        assert_eq!(answer.body, b"ok");
        assert_eq!(stopped.await.unwrap().connections_cut, 0);
    });
}
