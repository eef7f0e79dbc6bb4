//! Requests and responses reach the other side as they were meant, at once, and on connections that
//! are used again.

use std::io::Write as _;
use std::net::Shutdown;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::stage::{Origin, PATIENCE, Plan, Stage, Then, app, id};

#[test]
fn fields_of_one_hop_stop_here_and_ours_are_added() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let answer = stage.exchange(
        "GET /a?b HTTP/1.1\r\nHost: app.test\r\nConnection: close, X-Hop, X-Real-IP\r\nX-Hop: 1\r\n\
         X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 6.6.6.6\r\n\
         X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nProxy: evil\r\nKeep-Alive: 9\r\n\
         X-Request-Id: abc-1\r\nCookie: a=b\r\n\r\n",
    );
    let seen = &origin.seen()[0];
    assert!(seen.head.starts_with("GET /a?b HTTP/1.1\r\nHost: app.test\r\nCookie: a=b\r\n"));
    assert_eq!(seen.field("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(seen.field("X-Real-IP"), Some("127.0.0.1"));
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("http"));
    assert_eq!(seen.field("X-Forwarded-Host"), Some("app.test"));
    let port = stage.address().port().to_string();
    assert_eq!(seen.field("X-Forwarded-Port"), Some(&*port));
    assert!(seen.field("X-Request-Start").unwrap().starts_with("t="));
    assert!(!seen.head.contains("6.6.6.6") && !seen.head.contains("evil"));
    assert_eq!(seen.field("Forwarded"), Some("for=127.0.0.1;host=app.test;proto=http"));
    for gone in ["X-Hop", "Connection", "Keep-Alive", "Proxy"] {
        assert_eq!(seen.field(gone), None, "{gone}");
    }
    assert_eq!(seen.field("X-Request-Id"), Some("abc-1"));
    assert!(answer.contains("X-Request-Id: abc-1\r\n") && answer.contains("\r\nDate: "));
}

#[test]
fn a_trusted_proxy_in_front_is_believed() {
    let origin = Origin::ok();
    let plan = Plan { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Plan::default() };
    let stage = Stage::planned(&plan, &[&origin]);
    stage.exchange(
        "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\
         X-Forwarded-Proto: https\r\n\r\n",
    );
    let seen = &origin.seen()[0];
    assert_eq!(seen.field("X-Forwarded-For"), Some("192.0.2.1, 127.0.0.1"));
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("https"));
}

#[test]
fn connections_are_kept_alive_on_both_sides() {
    let origin = Origin::ok();
    let stage = Stage::planned(&Plan { workers: 1, ..Plan::default() }, &[&origin]);
    let mut client = stage.client();
    for number in 0..50 {
        let answer = client.get(&format!("/{number}")).unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
    }
    assert_eq!(origin.connections(), 1);
    let traffic = stage.await_traffic("the last request to be counted", |traffic| {
        traffic.services[&app()].classes == [0, 0, 50, 0, 0, 0]
    });
    assert_eq!(traffic.upstreams[&id(origin.address)].requests, 50);
}

#[test]
fn large_bodies_pass_both_ways_unchanged() {
    let origin = Origin::start(|seen, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len());
        stream.write_all(&[head.as_bytes(), &seen.body].concat()).unwrap();
        Then::KeepOpen
    });
    let stage = Stage::new(&[&origin]);
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0] ^ 7).collect();
    let mut client = stage.client();
    let head =
        format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send([head.as_bytes(), &body].concat());
    assert!(client.answer().unwrap().body == body, "a sized body came back changed");

    client.send("PUT / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(77_777) {
        client.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    client.send("0\r\n\r\n");
    assert!(client.answer().unwrap().body == body, "a chunked body came back changed");
    assert_eq!(client.get("/").unwrap().status, 200, "the connection lives on");
}

#[test]
fn a_stream_is_passed_on_as_it_comes() {
    let origin = Origin::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").unwrap();
        let mut go = [0];
        // The next event is sent only when the client has confirmed the one before.
        for event in ["data: 1\n\n", "data: 2\n\n"] {
            stream.write_all(event.as_bytes()).unwrap();
            let _ = stream.peek(&mut go);
        }
        Then::Close
    });
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert!(client.head().unwrap().contains("Transfer-Encoding: chunked\r\n"));
    assert_eq!(client.bytes(14), b"9\r\ndata: 1\n\n\r\n");
    drop(client);
    // The client is gone, so the edge hangs up on the origin, whose `peek` then ends.
    stage.await_traffic("the stream to be cut", |traffic| {
        traffic.upstreams.values().all(|upstream| upstream.in_flight == 0)
    });
}

#[test]
fn a_client_that_has_said_everything_still_gets_its_answer() {
    let said = Arc::new(Barrier::new(2));
    let heard = Arc::clone(&said);
    let origin = Origin::start(move |_, stream| {
        heard.wait();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        Then::KeepOpen
    });
    let stage = Stage::new(&[&origin]);
    for _ in 0..20 {
        let mut client = stage.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        client.stream.shutdown(Shutdown::Write).unwrap();
        said.wait();
        assert!(client.rest().ends_with("\r\n\r\nhi"));
    }
}

#[test]
fn an_old_client_is_served_in_its_own_way() {
    let origin =
        Origin::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    let stage = Stage::new(&[&origin]);
    let answer = stage.exchange("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
    assert!(answer.ends_with("\r\nConnection: close\r\n\r\nhi"), "{answer}");
    assert!(!answer.contains("Transfer-Encoding"));

    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n");
        assert!(client.answer().unwrap().head.contains("Connection: keep-alive\r\n"));
    }
}

#[test]
fn a_head_request_has_no_body_and_keeps_the_connection() {
    let origin = Origin::saying("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    for _ in 0..3 {
        client.send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert!(client.head().unwrap().contains("Content-Length: 1000\r\n"));
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn trailers_travel_both_ways() {
    let origin = Origin::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nSum: 9\r\nHost: b\r\n\r\n",
    );
    let stage = Stage::new(&[&origin]);
    let answer = stage.exchange("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert!(answer.ends_with("1\r\na\r\n0\r\nSum: 9\r\n\r\n"), "{answer}");
}

#[test]
fn a_client_that_asks_first_is_told_to_continue_by_the_origin() {
    let origin = Origin::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        Then::KeepOpen
    });
    // This origin reads the body before it answers; the 100 comes from a thread of its own below.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = Vec::new();
        let head = crate::stage::read_head(&mut stream, &mut buffer).unwrap();
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("Expect: 100-continue\r\n"));
        assert!(buffer.is_empty(), "the body must not have been sent yet");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let body = crate::stage::read_body(&mut stream, &mut buffer, &head).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[answer.as_bytes(), &body].concat()).unwrap();
        let _ = crate::stage::read_head(&mut stream, &mut buffer);
    });
    let stage = Stage::at(&Plan::default(), &[address]);
    let mut client = stage.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.head().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    assert_eq!(client.answer().unwrap().body, b"hello");

    // An HTTP/1.0 client would not understand a 100, so the origin is not asked for one.
    let stage = Stage::new(&[&origin]);
    stage.exchange(
        "POST / HTTP/1.0\r\nHost: app.test\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na",
    );
    assert_eq!(origin.seen()[0].field("Expect"), None);
}

#[test]
fn an_early_refusal_reaches_a_client_that_is_still_sending() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = Vec::new();
        crate::stage::read_head(&mut stream, &mut buffer).unwrap();
        stream
            .write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
            .unwrap();
        let _ = stream.set_read_timeout(Some(PATIENCE));
        while crate::stage::read_head(&mut stream, &mut buffer).is_some() {}
    });
    let stage = Stage::at(&Plan::default(), &[address]);
    let mut client = stage.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000000\r\n\r\nstart");
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, &answer.body[..]), (413, &b"big"[..]));
    assert!(answer.head.contains("Connection: close\r\n"));
    client.rest();
}

#[test]
fn load_is_spread_over_all_upstreams() {
    let origins: Vec<Origin> = (0..3).map(|_| Origin::ok()).collect();
    let stage = Stage::new(&origins.iter().collect::<Vec<_>>());
    let mut clients: Vec<_> = (0..10).map(|_| stage.client()).collect();
    for _ in 0..60 {
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        }
        for client in &mut clients {
            assert_eq!(client.answer().unwrap().status, 200);
        }
    }
    for origin in &origins {
        let share = origin.seen().len();
        assert!((100..=300).contains(&share), "{share} of 600");
    }
}

#[tokio::test]
async fn every_request_is_recorded() {
    let origin = Origin::ok();
    let mut stage = Stage::new(&[&origin]);
    stage.exchange(
        "POST /p?q HTTP/1.1\r\nHost: App.test\r\nConnection: close\r\nContent-Length: 3\r\n\
         User-Agent: curl/8 \u{e9}\r\nreferer:\thttp://b.test/\r\n\r\nabc",
    );
    let records = tokio::time::timeout(PATIENCE, stage.records.next()).await.unwrap().unwrap();
    let record = &records[0];
    assert_eq!((&*record.method, &*record.host, &*record.path), ("POST", "app.test", "/p?q"));
    assert_eq!((record.status, record.received, record.sent), (Some(200), 3, 2));
    assert_eq!((&*record.agent, &*record.referer), ("curl/8 \u{e9}", "http://b.test/"));
    assert_eq!((record.version, record.client), ("HTTP/1.1", record.peer.ip()));
    assert_eq!(record.service, Some(app()));
    assert_eq!(record.upstream, Some(id(origin.address)));
    assert!(record.total >= record.first_byte.unwrap() && record.total > Duration::ZERO);
    assert_eq!(record.abort, None);
}
