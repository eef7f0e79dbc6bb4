//! The life of an HTTP/2 connection: places for streams, signs of life, and leave-taking.

use std::io::Write as _;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use proxy::Limits;

use super::downstream::silent;
use super::frames::{
    ACK, DATA, END_STREAM, Frames, GET, GOAWAY, HEADERS, PING, POST, PREFACE, RST_STREAM, SETTINGS,
    frame, open, request,
};
use super::link::plan;
use crate::stage::{Origin, Plan, Stage, Then, id};

#[test]
fn a_place_is_free_once_its_answer_is_there() {
    const STREAMS: u32 = 2000;
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let mut client = Frames::connect(&stage);
    // Every other one with a body in a frame of its own.
    let ask = |number: u32| match number % 2 {
        0 => request(number * 2 + 1, GET),
        _ => {
            let stream = number * 2 + 1;
            [open(stream, POST), frame(DATA, END_STREAM, stream, b"x")].concat()
        }
    };
    let places = Limits::default().streams;
    client.send((0..places).flat_map(ask).collect::<Vec<u8>>());
    let (mut begun, mut ended) = (places, 0);
    while ended < STREAMS {
        let next = client.next().expect("the connection stays");
        assert!(![RST_STREAM, GOAWAY].contains(&next.kind), "{next:?} after {ended}");
        if [HEADERS, DATA].contains(&next.kind) && next.flags & END_STREAM != 0 {
            ended += 1;
            if begun < STREAMS {
                client.send(ask(begun));
                begun += 1;
            }
        }
    }
}

fn pinged_every(ping: Duration) -> Plan {
    Plan { limits: Limits { ping, ..Limits::default() }, ..plan() }
}

#[test]
fn a_client_that_waits_and_does_not_live_is_cut() {
    let (origin, _silent) = silent();
    let stage = Stage::planned(&pinged_every(Duration::from_millis(50)), &[&origin]);
    let mut client = Frames::connect(&stage);
    client.send(request(1, GET));
    assert_eq!(client.until(PING).expect("a ping").flags, 0);
    while client.next().is_some() {}
    stage.await_traffic("no client", |traffic| traffic.connections == 0);
}

#[test]
fn a_client_that_waits_and_lives_is_not_cut() {
    let (origin, gate) = gated();
    let stage = Stage::planned(&pinged_every(Duration::from_millis(500)), &[&origin]);
    let mut client = Frames::connect(&stage);
    client.send(request(1, GET));
    for _ in 0..3 {
        let ping = client.until(PING).expect("a ping");
        client.send(frame(PING, ACK, 0, &ping.payload));
    }
    drop(gate);
    assert_eq!(client.until(HEADERS).unwrap().payload[0], 0x88);
}

#[test]
fn a_quiet_connection_is_closed_with_a_word() {
    let origin = Origin::ok();
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    let mut client = Frames::silent(&stage);
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
    assert_eq!(client.until(GOAWAY).expect("a word").number(4), 0);
    while client.next().is_some() {}
}

#[test]
fn an_edge_that_retires_asks_its_clients_to_leave_and_loses_nothing() {
    let (origin, gate) = gated();
    let mut stage = Stage::planned(&plan(), &[&origin]);
    let mut client = Frames::connect(&stage);
    client.send(request(1, GET));
    let in_flight = |stage: &Stage, count| {
        stage.await_traffic("requests in flight", |traffic| {
            traffic.upstreams[&id(origin.address)].in_flight == count
        });
    };
    in_flight(&stage, 1);
    stage.edge.retire();
    let leave = client.until(GOAWAY).expect("a word");
    assert_eq!((leave.number(0), leave.number(4)), (0x7fff_ffff, 0));
    let ping = client.until(PING).expect("a way to know that the client has seen it");
    // This one was on its way.
    client.send(request(3, GET));
    client.send(frame(PING, ACK, 0, &ping.payload));
    assert_eq!(client.until(GOAWAY).unwrap().number(0), 3);
    in_flight(&stage, 2);
    drop(gate);
    for _ in 0..2 {
        assert_eq!(client.until(HEADERS).unwrap().payload[0], 0x88);
    }
    while client.next().is_some() {}
    stage.await_traffic("no client", |traffic| traffic.connections == 0);
}

#[test]
fn a_request_that_comes_while_an_idle_client_leaves_is_answered() {
    let (origin, gate) = gated();
    let mut stage = Stage::planned(&plan(), &[&origin]);
    let mut client = Frames::connect(&stage);
    stage.edge.retire();
    client.until(GOAWAY).expect("a word");
    client.send(request(1, GET));
    stage.await_traffic("a request in flight", |traffic| {
        traffic.upstreams[&id(origin.address)].in_flight == 1
    });
    // The ping of the GOAWAY; then one that says that the connection outlives the time in which a
    // client without a stream has to go.
    let ping = client.until(PING).expect("a ping");
    client.send(frame(PING, ACK, 0, &ping.payload));
    assert_eq!(client.until(GOAWAY).unwrap().number(0), 1);
    client.until(PING).expect("another ping");
    drop(gate);
    assert_eq!(client.until(HEADERS).expect("an answer").payload[0], 0x88);
}

/// An origin that answers nobody until the sender is dropped, and then everybody.
fn gated() -> (Origin, mpsc::Sender<()>) {
    let (gate, closed) = mpsc::channel::<()>();
    let closed = Mutex::new(closed);
    let origin = Origin::start(move |_, stream| {
        let _ = closed.lock().unwrap().recv();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        Then::KeepOpen
    });
    (origin, gate)
}
