//! What is too much, too long or too slow is refused, and costs the edge little.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use proxy::Limits;

use crate::stage::{Origin, Plan, Stage, Then, status};

const SHORT: Duration = Duration::from_millis(50);

fn stage(limits: Limits, origin: &Origin) -> Stage {
    Stage::planned(&Plan { limits, ..Plan::default() }, &[origin])
}

#[test]
fn heads_have_bounds() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let check = |request: String, expected: u16| {
        assert_eq!(status(&stage.exchange(&request)), expected, "{} bytes", request.len());
    };
    let end = "Host: app.test\r\nConnection: close\r\n\r\n";
    check(format!("GET /{} HTTP/1.1\r\n{end}", "a".repeat(8_000)), 200);
    check(format!("GET /{} HTTP/1.1\r\n{end}", "a".repeat(8_200)), 414);
    check(format!("GET /{}", "a".repeat(9_000)), 414);
    check(format!("{} / HTTP/1.1\r\n{end}", "A".repeat(9_000)), 414);
    check(format!("GET / HTTP/1.1\r\nA: {}\r\n{end}", "a".repeat(32_000)), 200);
    check(format!("GET / HTTP/1.1\r\nA: {}\r\n{end}", "a".repeat(33_000)), 431);
    check(format!("GET / HTTP/1.1\r\n{}{end}", "A: b\r\n".repeat(98)), 200);
    check(format!("GET / HTTP/1.1\r\n{}{end}", "A: b\r\n".repeat(101)), 431);
    assert_eq!(origin.seen().len(), 3);
}

#[test]
fn a_response_head_has_bounds_too() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(40_000));
    let stage = Stage::new(&[&Origin::saying(long)]);
    assert_eq!(stage.client().get("/").unwrap().status, 502);
}

#[test]
fn a_slow_head_is_not_waited_for() {
    let stage = stage(Limits { head_time: SHORT, ..Limits::default() }, &Origin::ok());
    let mut client = stage.client();
    client.send("GET / HTTP/1.1\r\nHost:");
    assert_eq!(status(&client.rest()), 408);
    // Nothing at all deserves no answer.
    assert_eq!(stage.client().rest(), "");
}

#[test]
fn an_idle_connection_is_closed() {
    let stage = stage(Limits { idle: SHORT, ..Limits::default() }, &Origin::ok());
    let mut client = stage.client();
    assert_eq!(client.get("/").unwrap().status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn an_upstream_that_does_not_answer_is_given_up() {
    let origin = Origin::start(|_, stream| {
        let _ = stream.peek(&mut [0]);
        Then::Close
    });
    let stage = stage(Limits { first_byte: SHORT, ..Limits::default() }, &origin);
    let mut client = stage.client();
    let answer = client.get("/").unwrap();
    assert_eq!(answer.status, 504);
    assert!(String::from_utf8(answer.body).unwrap().contains("The app took too long"));
}

#[test]
fn a_response_that_stops_is_cut() {
    let origin = Origin::start(|_, stream| {
        std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
            .unwrap();
        let _ = stream.peek(&mut [0]);
        Then::Close
    });
    let stage = stage(Limits { stream_idle: SHORT, ..Limits::default() }, &origin);
    let mut client = stage.client();
    assert!(client.get("/").is_none());
}

#[test]
fn an_upload_that_stops_is_refused() {
    let origin = Origin::ok();
    let stage = stage(Limits { upload_idle: SHORT, ..Limits::default() }, &origin);
    let mut client = stage.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello");
    assert_eq!(status(&client.rest()), 408);
}

#[test]
fn an_upload_that_trickles_is_refused() {
    let origin = Origin::ok();
    let limits =
        Limits { upload_grace: Duration::ZERO, upload_rate: u32::MAX, ..Limits::default() };
    let stage = stage(limits, &origin);
    let mut client = stage.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n");
    let began = std::time::Instant::now();
    client.stream.set_nonblocking(true).unwrap();
    // A byte at a time until the edge has had enough; the rate counts whole seconds.
    while client.stream.peek(&mut [0]).is_err() {
        client.send("a");
        assert!(began.elapsed() < crate::stage::PATIENCE);
        std::thread::sleep(Duration::from_millis(10)); // the slowness under test
    }
    client.stream.set_nonblocking(false).unwrap();
    assert_eq!(status(&client.rest()), 408);
}

#[test]
fn beyond_the_bound_connections_wait_their_turn() {
    let origin = Origin::ok();
    let limits = Limits { connections: 3, ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, workers: 1, ..Plan::default() }, &[&origin]);
    let mut open: Vec<_> = (0..3).map(|_| stage.client()).collect();
    for client in &mut open {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    let mut waiting = stage.client();
    waiting.send("GET /late HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(open[0].get("/").unwrap().status, 200);
    assert_eq!(origin.seen().len(), 4, "the fourth connection is not served yet");
    assert_eq!(stage.edge.traffic().connections, 3);
    open.clear();
    assert_eq!(waiting.answer().unwrap().status, 200);
}

#[test]
fn a_client_that_does_not_read_holds_up_only_itself() {
    let origin = Origin::start(|_, stream| {
        let body = vec![b'x'; 50_000_000];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = std::io::Write::write_all(stream, &[head.as_bytes(), &body].concat());
        Then::Close
    });
    let limits = Limits { write_stall: SHORT, ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, workers: 1, ..Plan::default() }, &[&origin]);
    let mut client = stage.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    client.head().unwrap();
    stage.await_traffic("the stalled client to be cut", |traffic| {
        traffic.connections == 0 && traffic.upstreams.values().all(|up| up.in_flight == 0)
    });
}

#[test]
fn a_lack_of_file_descriptors_is_survived() {
    const CHILD: &str = "EDGE_TEST_SHORT_OF_DESCRIPTORS";
    if std::env::var_os(CHILD).is_none() {
        // In a process of its own, because the limit is one of a process.
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "limits::a_lack_of_file_descriptors_is_survived"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let stage = Stage::new(&[&Origin::ok()]);
    let mut all = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    all.pop(); // for the client itself
    let mut client = stage.client();
    stage.await_traffic("the accept to fail", |traffic| traffic.accept_faults > 0);
    drop(all);
    assert_eq!(client.get("/").unwrap().status, 200);
}
