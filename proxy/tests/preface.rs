//! The PROXY protocol: who is believed, what becomes of those who are not.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use proxy::{Limits, Network, Preface, Speaks};

use crate::secure::{Authority, Secure};
use crate::stage::{Origin, Plan, Stage};

fn plan() -> Plan {
    let trusted = vec!["127.0.0.0/8".parse::<Network>().unwrap()];
    Plan { preface: Preface::ProxyProtocol, trusted, ..Plan::default() }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";

#[test]
fn the_client_is_whom_the_sender_names() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend_from_slice(&[198, 51, 100, 7, 127, 0, 0, 1, 0x13, 0x88, 0, 80]);
    for preface in [b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\n".as_slice(), &binary] {
        let answer = stage.exchange([preface, GET.as_bytes()].concat());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    for seen in origin.seen() {
        assert_eq!(seen.field("X-Forwarded-For"), Some("198.51.100.7"));
    }
}

#[test]
fn a_sender_without_a_client_speaks_for_itself() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".as_slice();
    for preface in [b"PROXY UNKNOWN\r\n".as_slice(), local] {
        stage.exchange([preface, GET.as_bytes()].concat());
    }
    for seen in origin.seen() {
        assert_eq!(seen.field("X-Forwarded-For"), Some("127.0.0.1"));
    }
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn it_comes_below_tls() {
    let (authority, origin) = (Authority::new(), Origin::ok());
    let certificates = authority.set(1, &["app.test"]);
    let stage = Stage::planned(&Plan { speaks: Speaks::Https, certificates, ..plan() }, &[&origin]);
    let mut stream = TcpStream::connect(stage.address()).unwrap();
    stream.write_all(b"PROXY TCP6 2001:db8::7 ::1 5000 443\r\n").unwrap();
    let config = Arc::new(authority.client());
    let mut client = Secure::over(stream, "app.test", &config).unwrap();
    assert_eq!(client.get("app.test", "/").unwrap().status, 200);
    assert_eq!(origin.seen()[0].field("X-Forwarded-For"), Some("2001:db8::7"));
    assert_eq!(origin.seen()[0].field("X-Forwarded-Proto"), Some("https"));
}

#[test]
fn what_is_missing_malformed_or_slow_is_closed_without_a_word() {
    let origin = Origin::ok();
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    for bytes in [GET, "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "PROXY TCP4 1.2."] {
        assert_eq!(stage.exchange(bytes), "", "{bytes:?}");
    }
    stage.await_traffic("three refusals", |traffic| traffic.prefaces_refused == 3);
    assert!(origin.seen().is_empty());
}

#[test]
fn a_stranger_may_not_speak_for_others() {
    let origin = Origin::ok();
    let stage = Stage::planned(&Plan { trusted: Vec::new(), ..plan() }, &[&origin]);
    let preface = "PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\n";
    assert_eq!(stage.exchange([preface, GET].concat()), "");
    stage.await_traffic("a refusal", |traffic| traffic.prefaces_refused == 1);
}

#[test]
fn clients_behind_a_sender_are_counted_each_for_itself() {
    let origin = Origin::ok();
    let limits = Limits { connections_per_client: 2, ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    let connect = |client: &str| {
        let mut connection = stage.client();
        connection.send(format!("PROXY TCP4 {client} 127.0.0.1 5000 80\r\n"));
        let answer = connection.get("/");
        (connection, answer.is_some())
    };
    let (first, second) = (connect("198.51.100.7"), connect("198.51.100.7"));
    assert!(first.1 && second.1);
    assert!(!connect("198.51.100.7").1, "one too many");
    assert!(connect("198.51.100.8").1, "another client");
    drop(first);
    stage.await_traffic("the first to be gone", |traffic| traffic.connections == 1);
    assert!(connect("198.51.100.7").1, "a seat is free again");
    assert_eq!(stage.edge.traffic().crowded, 1);
}
