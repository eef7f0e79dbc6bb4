//! A request is sent again only where nothing of the first sending can have had an effect.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};

use proxy::Limits;

use crate::stage::{Origin, Plan, Stage, Then, app, id};

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An origin that answers the first request of each connection and hangs up on the second.
fn forgetful() -> Origin {
    let counts = std::sync::Mutex::new(std::collections::HashSet::new());
    Origin::start(move |seen, stream| {
        if !counts.lock().unwrap().insert(seen.connection) {
            return Then::Close;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        Then::KeepOpen
    })
}

fn one_worker() -> Plan {
    Plan { workers: 1, ..Plan::default() }
}

#[test]
fn an_unreachable_upstream_is_passed_over_for_any_method() {
    let origin = Origin::ok();
    let stage = Stage::at(&one_worker(), &[nowhere(), origin.address]);
    let mut client = stage.client();
    for _ in 0..40 {
        client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(origin.seen().len(), 40);
    assert!(origin.seen().iter().all(|seen| seen.body == b"hi"));
}

#[test]
fn an_upstream_that_stays_unreachable_is_left_out() {
    let origin = Origin::ok();
    let dead = nowhere();
    let stage = Stage::at(&one_worker(), &[dead, origin.address]);
    let mut client = stage.client();
    for _ in 0..200 {
        client.get("/").unwrap();
    }
    let traffic = stage.edge.traffic();
    assert!(traffic.upstreams[&id(dead)].ejected);
    assert_eq!(traffic.upstreams[&id(dead)].faults, u64::from(Limits::default().eject_after));
}

#[test]
fn when_nobody_can_be_reached_the_page_says_so() {
    let stage = Stage::at(&one_worker(), &[nowhere(), nowhere(), nowhere(), nowhere()]);
    let mut client = stage.client();
    let answer = client.get("/").unwrap();
    assert_eq!(answer.status, 502);
    assert!(String::from_utf8(answer.body).unwrap().contains("The app cannot be reached"));
    assert_eq!(stage.edge.traffic().services[&app()].retries, 2);
    assert_eq!(client.get("/").unwrap().status, 502, "the connection lives on");
}

#[test]
fn the_only_upstream_is_never_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let stage = Stage::at(&one_worker(), &[address]);
    for _ in 0..6 {
        assert_eq!(stage.client().get("/").unwrap().status, 502);
    }
    let origin = Origin::ok();
    stage.publish(&[origin.address]);
    stage.await_traffic("the new table", |traffic| traffic.applied == Some(2));
    assert_eq!(stage.client().get("/").unwrap().status, 200);
}

#[test]
fn a_kept_connection_that_died_is_replaced_for_an_idempotent_request() {
    let origin = forgetful();
    let stage = Stage::planned(&one_worker(), &[&origin]);
    let mut client = stage.client();
    for _ in 0..6 {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    client.send("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn a_request_that_may_have_had_an_effect_is_not_sent_again() {
    let origin = forgetful();
    let stage = Stage::planned(&one_worker(), &[&origin]);
    let mut client = stage.client();
    assert_eq!(client.get("/").unwrap().status, 200);
    client.send("POST /once HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().unwrap().status, 502);
    let posts = origin.seen().iter().filter(|seen| seen.head.contains("/once")).count();
    assert_eq!(posts, 1);
}

#[test]
fn a_new_connection_that_dies_is_the_upstreams_fault() {
    let origin = Origin::start(|_, _| Then::Close);
    let stage = Stage::planned(&one_worker(), &[&origin]);
    assert_eq!(stage.client().get("/").unwrap().status, 502);
    assert_eq!(origin.seen().len(), 1);
    assert_eq!(stage.edge.traffic().upstreams[&id(origin.address)].faults, 1);
}
