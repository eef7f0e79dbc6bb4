//! Doors: upstreams that somebody else leads to.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use proxy::{Service, Table, Upstream};

use crate::stage::{Origin, Plan, Stage, app, id};

/// A door to an origin, or to nobody: then whoever comes is let in and turned away.
fn door(leads: Option<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for visitor in listener.incoming() {
            let Some(leads) = leads else { continue };
            let mut visitor = visitor.unwrap();
            let far = TcpStream::connect(leads).unwrap();
            visitor.write_all(b"+").unwrap();
            pass(visitor.try_clone().unwrap(), far.try_clone().unwrap());
            pass(far, visitor);
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
}

/// Nobody goes to where it listens on its own machine.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);

fn publish(stage: &Stage, doors: &[SocketAddr]) {
    let generation = stage.table.borrow().generation + 1;
    let table = stage.plan.table(generation, &[]);
    let upstream = |address: &SocketAddr| Upstream {
        id: id(*address),
        address: NOWHERE,
        door: Some(*address),
    };
    let service = Service {
        upstreams: doors.iter().map(upstream).collect(),
        ..Service::clone(&table.services[&app()])
    };
    let mut table = Table::clone(&table);
    table.services.insert(app(), Arc::new(service));
    stage.table.send_replace(Arc::new(table));
    stage.await_traffic("the table", |traffic| traffic.applied == Some(generation));
}

#[test]
fn a_request_goes_through_a_door_and_past_one_that_is_shut() {
    let origin = Origin::ok();
    let stage = Stage::planned(&Plan::default(), &[]);
    publish(&stage, &[door(None), door(Some(origin.address))]);
    // None of these may be sent twice, and none has to be.
    let post =
        "POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    for _ in 0..8 {
        let answer = stage.exchange(post);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let bodies: Vec<_> = origin.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, vec![b"hi".to_vec(); 8]);
}

#[test]
fn where_all_doors_are_shut_nobody_answers() {
    let stage = Stage::planned(&Plan::default(), &[]);
    publish(&stage, &[door(None)]);
    let answer = stage.client().get("/").unwrap();
    assert_eq!(answer.status, 502);
}
