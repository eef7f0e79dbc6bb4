//! slowhttptest: clients that keep a connection busy with as little as they can.
//!
//! Each must end with every slow connection closed by the edge while an honest client is served.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use proxy::Limits;

use super::run;
use crate::stage::{Origin, Plan, Stage};

const SECOND: Duration = Duration::from_secs(1);

/// Small enough to be over while slowhttptest watches, which is half a minute at most.
fn limits() -> Limits {
    Limits {
        head_time: SECOND * 2,
        idle: SECOND * 2,
        upload_idle: SECOND * 2,
        upload_grace: SECOND,
        write_stall: SECOND * 2,
        linger: SECOND,
        ..Limits::default()
    }
}

/// What slowhttptest thinks of it at the end: its slow readers never look whether they were cut.
const NOTICED: &str = "No open connections left";
const UNAWARE: &str = "Hit test time limit";

fn check(attack: &[&str], origin: &Origin, end: &str) {
    let stage = Stage::planned(&Plan { limits: limits(), ..Plan::default() }, &[origin]);
    let address = stage.address().to_string();
    // A proxy in the absolute form of requests: the only way to give it a host and an address.
    let common = ["-c", "100", "-r", "100", "-l", "15", "-p", "5", "-d", &address];
    let arguments = [attack, &common[..], &["-u", "http://app.test/large"][..]].concat();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let honest = scope.spawn(|| {
            let mut served = 0;
            while !over.load(Relaxed) {
                let answer = stage.client().get("/").expect("an answer for the honest client");
                assert_eq!(answer.status, 200);
                served += 1;
            }
            served
        });
        let slow = scope.spawn(|| run("slowhttptest", "slowhttptest", &arguments));
        stage.await_traffic("slow clients", |traffic| traffic.connections > 50);
        // The honest one, and perhaps the one with which slowhttptest asks how we are.
        stage.await_traffic("no slow clients", |traffic| traffic.connections <= 2);
        over.store(true, Relaxed);
        assert!(honest.join().unwrap() > 0);
        slow.join().unwrap().has(end);
    });
}

#[test]
fn slow_heads_are_cut() {
    check(&["-H", "-i", "1", "-t", "GET"], &Origin::ok(), NOTICED);
}

#[test]
fn slow_bodies_are_cut() {
    check(&["-B", "-i", "1", "-s", "8192"], &Origin::ok(), NOTICED);
}

#[test]
fn slow_readers_are_cut() {
    // More than all socket buffers between the edge and a client can take.
    let large =
        [b"HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n".to_vec(), vec![b'x'; 1 << 24]];
    let large = large.concat();
    let origin = Origin::start(move |seen, stream| {
        use std::io::Write as _;
        let small = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..];
        let wanted = seen.head.starts_with("GET /large ");
        // The edge closes this connection when it gives the client up.
        match stream.write_all(if wanted { &large } else { small }) {
            Ok(()) => crate::stage::Then::KeepOpen,
            Err(_) => crate::stage::Then::Close,
        }
    });
    check(&["-X", "-w", "512", "-y", "1024", "-n", "10", "-z", "32"], &origin, UNAWARE);
}
