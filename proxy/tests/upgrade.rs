//! Switching protocols: a tunnel begins with the upstream's 101 and with nothing else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use proxy::Limits;

use crate::stage::{Origin, Plan, Stage, id, read_head};

pub(crate) const ASK: &str = "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// An origin that switches and sends back whatever it gets.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let Some(head) = read_head(&mut stream, &mut Vec::new()) else { return };
                let head = String::from_utf8(head).unwrap();
                if !head.contains("Upgrade: websocket\r\n") {
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                    );
                    return;
                }
                let _ = stream.write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
                );
                let mut piece = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    if stream.write_all(&piece[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_tunnel_carries_bytes_both_ways_and_is_counted() {
    let address = echo();
    let stage = Stage::at(&Plan::default(), &[address]);
    let mut client = stage.client();
    client.send(ASK);
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("Upgrade: WebSocket\r\n"), "{head}");
    for size in [1, 1000, 200_000] {
        let message = vec![b'x'; size];
        client.send(&message);
        assert!(client.bytes(size) == message);
    }
    let traffic = stage.edge.traffic();
    assert_eq!(traffic.upstreams[&id(address)].tunnels, 1);
    assert_eq!(traffic.upstreams[&id(address)].in_flight, 1);
    drop(client);
    stage.await_traffic("the tunnel to end", |traffic| {
        traffic.upstreams[&id(address)].tunnels == 0 && traffic.connections == 0
    });
}

#[test]
fn bytes_before_the_101_are_never_forwarded() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    // RFC 9931: together with the request they are refused at once.
    let answer = stage.exchange(format!("{ASK}GET /ghost HTTP/1.1\r\nHost: app.test\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
    assert!(origin.seen().is_empty());
}

#[test]
fn an_upstream_may_decline_to_switch() {
    let origin = Origin::ok();
    let stage = Stage::new(&[&origin]);
    let mut client = stage.client();
    client.send(ASK);
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(client.get("/next").unwrap().status, 200);
}

#[test]
fn a_switch_to_something_else_is_refused() {
    for reply in [
        "Upgrade: other\r\nConnection: upgrade\r\n",
        "Connection: upgrade\r\n",
        "Upgrade: websocket\r\n",
    ] {
        let origin = Origin::saying(format!("HTTP/1.1 101 Switching Protocols\r\n{reply}\r\n"));
        let stage = Stage::new(&[&origin]);
        let mut client = stage.client();
        client.send(ASK);
        assert_eq!(client.answer().unwrap().status, 502, "{reply}");
    }
}

#[test]
fn a_silent_tunnel_is_closed() {
    let limits = Limits { tunnel_idle: Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::at(&Plan { limits, ..Plan::default() }, &[echo()]);
    let mut client = stage.client();
    client.send(ASK);
    client.head().unwrap();
    assert_eq!(client.rest(), "");
}
