//! What is counted is what happened, whichever worker it happened on.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use proxy::ServiceTraffic;

use crate::stage::{Origin, Plan, Stage, Then, app};

/// The figures of the app, once so many requests are finished.
fn finished(stage: &Stage, count: u64) -> ServiceTraffic {
    let traffic = stage.await_traffic("requests to be counted", |traffic| {
        traffic.services[&app()].classes.iter().sum::<u64>() >= count
    });
    traffic.services[&app()]
}

#[test]
fn every_request_of_every_worker_is_counted_once() {
    let origin = Origin::ok();
    let stage = Stage::planned(&Plan { workers: 3, ..Plan::default() }, &[&origin]);
    thread::scope(|scope| {
        for _ in 0..9 {
            scope.spawn(|| {
                let mut client = stage.client();
                for _ in 0..50 {
                    client.send(
                        "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                         3\r\nabc\r\n0\r\n\r\n",
                    );
                    client.answer().unwrap();
                }
            });
        }
    });
    let traffic = finished(&stage, 450);
    assert_eq!(traffic.classes, [0, 0, 450, 0, 0, 0]);
    assert_eq!((traffic.received, traffic.sent), (1350, 900), "bodies without their framing");
    assert_eq!((traffic.total.count(), traffic.first_byte.count()), (450, 450));
    assert!(traffic.total.sum >= traffic.first_byte.sum && !traffic.total.sum.is_zero());
    stage.await_traffic("rest", |traffic| traffic.services[&app()].in_flight == 0);
}

#[test]
fn times_are_counted_in_their_class() {
    const PAUSE: Duration = Duration::from_millis(60);
    let origin = Origin::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
        thread::sleep(PAUSE); // this is the behaviour under test, not a wait for something
        stream.write_all(b"ok").unwrap();
        Then::KeepOpen
    });
    let stage = Stage::planned(&Plan::default(), &[&origin]);
    stage.client().get("/").unwrap();
    let traffic = finished(&stage, 1);
    let fast: u64 = traffic.total.counts[..6].iter().sum();
    assert_eq!(fast, 0, "nothing took less than 50 ms: {:?}", traffic.total);
    assert!(traffic.total.sum >= PAUSE);
}

#[test]
fn refusals_have_a_class_and_a_time_but_no_first_byte() {
    let stage = Stage::at(&Plan::default(), &["127.0.0.1:1".parse().unwrap()]);
    assert_eq!(stage.client().get("/").unwrap().status, 502);
    let traffic = finished(&stage, 1);
    assert_eq!(traffic.classes, [0, 0, 0, 0, 0, 1]);
    assert_eq!((traffic.total.count(), traffic.first_byte.count()), (1, 0));
}

#[test]
fn an_upgrade_is_counted_as_one_and_not_timed() {
    let origin = Origin::start(|_, stream| {
        let switched =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello";
        stream.write_all(switched.as_bytes()).unwrap();
        Then::Close
    });
    let stage = Stage::new(&[&origin]);
    let answer = stage
        .exchange("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert!(answer.ends_with("hello"), "{answer}");
    let traffic = finished(&stage, 1);
    assert_eq!((traffic.upgrades, traffic.classes[1], traffic.sent), (1, 1, 5));
    assert_eq!(traffic.total.count(), 0);
}
