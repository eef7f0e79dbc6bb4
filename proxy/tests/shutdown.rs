//! Stopping: what has begun is finished, what will not end is cut and reported.

use std::io::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use proxy::Shutdown;

use crate::stage::{Origin, PATIENCE, Plan, Stage, Then};
use crate::upgrade::echo;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_and_idle_connections_are_closed() {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::start(move |seen, stream| {
        if seen.head.contains("/slow") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha").unwrap();
            wait.lock().unwrap().recv().unwrap();
            stream.write_all(b"lf").unwrap();
        } else {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
        Then::KeepOpen
    });
    let stage = Stage::new(&[&origin]);
    let address = stage.address();
    let mut idle = stage.client();
    idle.get("/").unwrap();
    let mut busy = stage.client();
    busy.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n");
    busy.head().unwrap();
    let stopped = tokio::spawn(stage.edge.shutdown(PATIENCE));
    assert_eq!(idle.rest(), "", "an idle connection is closed at once");
    go.send(()).unwrap();
    assert_eq!(busy.bytes(4), b"half");
    assert_eq!(busy.rest(), "");
    assert_eq!(stopped.await.unwrap(), Shutdown::default());
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_stopping_says_that_the_connection_closes() {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::start(move |_, stream| {
        wait.lock().unwrap().recv().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        Then::KeepOpen
    });
    let stage = Stage::new(&[&origin]);
    go.send(()).unwrap();
    let mut idle = stage.client();
    idle.get("/").unwrap();
    let mut busy = stage.client();
    busy.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    stage.await_traffic("the request to be in flight", |traffic| {
        traffic.upstreams.values().any(|upstream| upstream.in_flight == 1)
    });
    let stopped = tokio::spawn(stage.edge.shutdown(PATIENCE));
    assert_eq!(idle.rest(), "", "the edge has begun to stop");
    go.send(()).unwrap();
    let answer = busy.answer().unwrap();
    assert!(answer.head.contains("Connection: close\r\n"), "{}", answer.head);
    assert_eq!(stopped.await.unwrap(), Shutdown::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_cut_at_the_deadline() {
    let stage = Stage::at(&Plan::default(), &[echo()]);
    let mut client = stage.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    client.head().unwrap();
    let cut = stage.edge.shutdown(Duration::from_millis(50)).await;
    assert_eq!(cut, Shutdown { connections_cut: 1, tunnels_cut: 1 });
    assert_eq!(client.rest(), "");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_table, receiver) = tokio::sync::watch::channel(std::sync::Arc::default());
    let (log, _records) = proxy::access_log();
    let listen = vec![proxy::Listen::http(address)];
    let settings = proxy::Settings::new(listen, || std::time::UNIX_EPOCH);
    let error = proxy::Edge::bind(settings, &proxy::Feeds::plain(receiver), &log).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
}
