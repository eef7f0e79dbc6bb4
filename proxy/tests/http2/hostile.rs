//! Clients that make work: floods, heads without end, streams opened only to be reset.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use proxy::Limits;

use super::client::{Http2, request, run};
use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, Frames, GET, GOAWAY, HEADERS, PING, POST, RST_STREAM,
    SETTINGS, block, frame, open, request as get,
};
use super::link::plan;
use crate::stage::{Origin, Plan, Stage};

const ENHANCE_YOUR_CALM: u32 = 11;

/// Sends what `next` makes until the edge has had enough, and returns why it had.
fn flood(stage: &Stage, most: usize, mut next: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let mut client = Frames::connect(stage);
    for number in 0..most {
        client.send(next(u32::try_from(number).unwrap()));
    }
    client.until(GOAWAY).map(|goaway| goaway.number(4))
}

#[test]
fn streams_that_are_opened_only_to_be_reset_end_the_connection() {
    let origin = Origin::ok();
    let limits = Limits { stream_resets: 20, ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    let reset = [0, 0, 0, 8];
    let why = flood(&stage, 2000, |number| {
        let stream = number * 2 + 1;
        [get(stream, GET), frame(RST_STREAM, 0, stream, &reset)].concat()
    });
    assert!(matches!(why, None | Some(ENHANCE_YOUR_CALM)), "{why:?}");
    // Whoever asks properly is still served.
    run(async { assert_eq!(Http2::connect(&stage).await.get("/").await.unwrap().status, 200) });
}

#[test]
fn a_head_without_end_is_not_collected() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let more = block(&[("x", &"y".repeat(1000))]);
    let why = flood(&stage, 2000, |number| {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        frame(kind, 0, 1, if number == 0 { &[] } else { &more })
    });
    assert!(matches!(why, None | Some(ENHANCE_YOUR_CALM)), "{why:?}");
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn a_head_that_is_too_large_is_refused_by_itself() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let mut large = request(Method::GET, "/");
        large.headers_mut().insert("x", HeaderValue::from_str(&"y".repeat(40_000)).unwrap());
        assert_eq!(client.send(large).await.unwrap().status, 431);
        let mut many = request(Method::GET, "/");
        for number in 0..150 {
            let name = HeaderName::try_from(format!("x-{number}")).unwrap();
            many.headers_mut().insert(name, HeaderValue::from_static("y"));
        }
        assert_eq!(client.send(many).await.unwrap().status, 431);
        let long = request(Method::GET, &format!("/{}", "y".repeat(9000)));
        assert_eq!(client.send(long).await.unwrap().status, 414);
        assert_eq!(client.get("/").await.unwrap().status, 200);
    });
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn empty_frames_of_a_body_are_not_taken_without_end() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let why = flood(&stage, 200_000, |number| {
        if number == 0 { open(1, POST) } else { frame(DATA, 0, 1, &[]).repeat(10) }
    });
    assert!(matches!(why, None | Some(ENHANCE_YOUR_CALM)), "{why:?}");
}

#[test]
fn pings_and_settings_are_answered_one_by_one() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let mut client = Frames::connect(&stage);
    for _ in 0..1000 {
        client.send([frame(PING, 0, 0, b"flooding"), frame(SETTINGS, 0, 0, &[])].concat());
    }
    client.send(get(1, GET));
    let mut acknowledged = 0;
    loop {
        let next = client.next().unwrap();
        acknowledged += usize::from(next.flags == ACK && [PING, SETTINGS].contains(&next.kind));
        if next.kind == HEADERS {
            break;
        }
    }
    assert!(acknowledged <= 2000);
}

#[test]
fn a_connection_carries_so_many_requests_and_no_more() {
    let origin = Origin::ok();
    let limits = Limits { connection_requests: 5, ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    run(async {
        let mut client = Http2::connect(&stage).await;
        let mut served = 0;
        while client.get("/").await.is_ok() {
            served += 1;
        }
        assert!((5..8).contains(&served), "{served}");
        // How it went does not matter: the edge may be gone before the client has said goodbye.
        let _ = client.ended.await.unwrap();
    });
}

#[test]
fn more_streams_than_allowed_are_refused() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    let origin = Origin::start(move |_, _| {
        let _ = receiver.lock().unwrap().recv();
        crate::stage::Then::Close
    });
    let limits = Limits { streams: 3, ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    let mut client = Frames::connect(&stage);
    for stream in [1, 3, 5, 7] {
        client.send(get(stream, GET));
    }
    let reset = client.until(RST_STREAM).unwrap();
    assert_eq!((reset.stream, reset.number(0)), (7, 7), "REFUSED_STREAM");
    drop(sender);
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let body = "x".repeat(200_000);
    let origin =
        Origin::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let limits = Limits { write_stall: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    // The window of 65,535 bytes is never enlarged.
    let mut client = Frames::connect(&stage);
    client.send(get(1, GET));
    assert_eq!(client.until(RST_STREAM).unwrap().number(0), 8, "CANCEL");
}

#[test]
fn a_client_that_sends_too_slowly_is_told_so() {
    let origin = Origin::ok();
    let limits = Limits { upload_idle: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    let mut client = Frames::connect(&stage);
    client.send([open(1, POST), frame(DATA, 0, 1, b"x")].concat());
    let answer = client.until(HEADERS).unwrap();
    assert_eq!(answer.flags & END_HEADERS, END_HEADERS);
    assert_eq!(client.until(RST_STREAM).unwrap().number(0), 0, "NO_ERROR");
}

#[test]
fn a_client_that_says_nothing_is_not_waited_for() {
    let origin = Origin::ok();
    let limits = Limits { head_time: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::planned(&Plan { limits, ..plan() }, &[&origin]);
    let mut client = Frames::silent(&stage);
    client.send(b"PRI * HTTP/2.0\r\n");
    assert!(client.until(GOAWAY).is_none());
}
