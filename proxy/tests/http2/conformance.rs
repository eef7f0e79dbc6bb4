//! What RFC 9113 asks of a server before it looks at what a frame says: the preface, frames as such,
//! the states of streams. The types of frames stand in `types`, messages in `messages`.

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GET, GOAWAY, HEADERS, PADDED, PING, POST,
    PREFACE, PRIORITY, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, WITH_PRIORITY, block, frame,
    open, request, setting,
};
use super::link::plan;
use super::outcome::Expected::{Closed, Connection, Ignored, Ok as Fine, Stream};
use super::outcome::{COMPRESSION_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR, STREAM_CLOSED, check};
use crate::stage::{Origin, Stage};

#[test]
fn section_3_4_the_preface() {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    for wrong in [
        &b"INVALID CONNECTION PREFACE\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
        b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = Frames::silent(&stage);
        client.send(wrong);
        assert_eq!(client.until(GOAWAY).unwrap().number(4), PROTOCOL_ERROR);
        assert!(client.next().is_none());
    }
    // The first frame must be SETTINGS.
    let mut client = Frames::silent(&stage);
    client.send([PREFACE, &request(1, GET)].concat());
    assert_eq!(client.until(GOAWAY).unwrap().number(4), PROTOCOL_ERROR);
    // The same if it comes when the edge has begun.
    let mut client = Frames::silent(&stage);
    client.send(PREFACE);
    assert_eq!(client.next().unwrap().kind, SETTINGS);
    client.send(request(1, GET));
    assert_eq!(client.until(GOAWAY).unwrap().number(4), PROTOCOL_ERROR);
    assert!(client.next().is_none());
    assert_eq!(origin.seen().len(), 0);
    // The edge's own first frame is.
    let mut client = Frames::silent(&stage);
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
    let first = client.next().unwrap();
    assert_eq!((first.kind, first.flags), (SETTINGS, 0));
    // Byte by byte it is a preface too.
    let mut client = Frames::silent(&stage);
    for byte in [PREFACE, &frame(SETTINGS, 0, 0, &[]), &request(1, GET)].concat() {
        client.send([byte]);
    }
    assert_eq!(client.until(HEADERS).unwrap().payload[0], 0x88);
}

#[test]
fn section_4_frames() {
    let large = vec![0; 16 * 1024 + 1];
    let body = vec![b'x'; 16 * 1024];
    check(&[
        ("4.1 an unknown type", vec![frame(0x16, 0, 0, &[0; 8])], Ignored),
        ("4.1 an unknown type on a stream", vec![frame(0x16, 0, 1, &[0; 8])], Ignored),
        ("4.1 unknown flags", vec![frame(PING, 0x16, 0, b"the end!")], Ignored),
        ("4.1 the reserved bit of a request", vec![request(0x8000_0001, GET)], Fine),
        ("4.1 the reserved bit", vec![frame(PING, 0, 0x8000_0000, b"reserved")], Ignored),
        ("4.2 2^14 bytes", vec![open(1, POST), frame(DATA, END_STREAM, 1, &body)], Fine),
        (
            "4.2 a large DATA",
            vec![open(1, POST), frame(DATA, END_STREAM, 1, &large)],
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "4.2 a large HEADERS",
            vec![frame(HEADERS, WHOLE, 1, &large)],
            Connection(FRAME_SIZE_ERROR),
        ),
        ("4.2 a large SETTINGS", vec![frame(SETTINGS, 0, 0, &large)], Connection(FRAME_SIZE_ERROR)),
        (
            "4.2 a HEADERS without its priority",
            vec![frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &[0; 2])],
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "4.2 a HEADERS without its padding",
            vec![frame(HEADERS, WHOLE | PADDED, 1, &[])],
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "4.2 a DATA without its padding",
            vec![open(1, POST), frame(DATA, PADDED, 1, &[])],
            Connection(FRAME_SIZE_ERROR),
        ),
        ("4.2 a large PING", vec![frame(PING, 0, 0, &large)], Connection(FRAME_SIZE_ERROR)),
        (
            "4.3 SETTINGS inside a block",
            vec![frame(HEADERS, END_STREAM, 1, &block(GET)), frame(SETTINGS, 0, 0, &[])],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "4.3 the head again inside a block",
            vec![frame(HEADERS, END_STREAM, 1, &block(GET)), request(1, GET)],
            Connection(PROTOCOL_ERROR),
        ),
        ("4.3 a bad block", vec![frame(HEADERS, WHOLE, 1, &[0x40])], Connection(COMPRESSION_ERROR)),
        (
            "4.3 a frame inside a block",
            vec![
                frame(HEADERS, END_STREAM, 1, &block(GET)),
                frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
            ],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "4.3 another stream's head inside a block",
            vec![frame(HEADERS, END_STREAM, 1, &block(GET)), request(3, GET)],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "4.3 an unknown frame inside a block",
            vec![frame(HEADERS, END_STREAM, 1, &block(GET)), frame(0x16, 0, 0, &[])],
            Connection(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_5_1_idle_streams() {
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    check(&[
        ("5.1 idle: DATA", vec![frame(DATA, END_STREAM, 1, b"x")], Connection(PROTOCOL_ERROR)),
        ("5.1 idle: DATA, later", vec![request(1, GET), frame(DATA, 0, 3, b"x")], Connection(1)),
        ("5.1 idle: DATA, even", vec![frame(DATA, 0, 2, b"x")], Connection(PROTOCOL_ERROR)),
        (
            "5.1 idle: WINDOW_UPDATE, later",
            vec![request(1, GET), frame(WINDOW_UPDATE, 0, 3, &[0, 0, 0, 1])],
            Connection(PROTOCOL_ERROR),
        ),
        ("5.1 idle: PRIORITY", vec![frame(PRIORITY, 0, 2, &[0, 0, 0, 0, 1])], Ignored),
        ("5.1 idle: RST_STREAM", vec![reset.clone()], Connection(PROTOCOL_ERROR)),
        (
            "5.1 idle: WINDOW_UPDATE",
            vec![frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "5.1 idle: CONTINUATION",
            vec![frame(CONTINUATION, END_HEADERS, 1, &block(GET))],
            Connection(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_5_1_streams_that_are_half_closed() {
    check(&[
        (
            "5.1 half closed: WINDOW_UPDATE",
            vec![request(1, GET), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])],
            Fine,
        ),
        (
            "5.1 half closed by DATA: DATA",
            vec![open(1, POST), frame(DATA, END_STREAM, 1, b"x"), frame(DATA, 0, 1, b"x")],
            Connection(STREAM_CLOSED),
        ),
        (
            "5.1 half closed by trailers: DATA",
            vec![open(1, POST), request(1, &[("a", "b")]), frame(DATA, END_STREAM, 1, b"x")],
            Connection(STREAM_CLOSED),
        ),
        (
            "5.1 half closed by DATA: trailers",
            vec![open(1, POST), frame(DATA, END_STREAM, 1, b"x"), request(1, &[("a", "b")])],
            Connection(STREAM_CLOSED),
        ),
        (
            "5.1 half closed: DATA",
            vec![request(1, GET), frame(DATA, END_STREAM, 1, b"x")],
            Closed(STREAM_CLOSED),
        ),
        ("5.1 half closed: HEADERS", vec![request(1, GET), request(1, GET)], Closed(STREAM_CLOSED)),
        (
            "5.1 half closed: CONTINUATION",
            vec![request(1, GET), frame(CONTINUATION, END_HEADERS, 1, &block(GET))],
            Closed(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_5_1_streams_that_were_reset() {
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    check(&[
        ("5.1 reset: RST_STREAM", vec![open(1, POST), reset.clone(), reset.clone()], Ignored),
        (
            "5.1 reset: WINDOW_UPDATE",
            vec![open(1, POST), reset.clone(), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])],
            Ignored,
        ),
        (
            "5.1 reset: PRIORITY",
            vec![open(1, POST), reset.clone(), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])],
            Ignored,
        ),
        (
            "5.1 reset: DATA",
            vec![open(1, POST), reset.clone(), frame(DATA, END_STREAM, 1, b"x")],
            Closed(STREAM_CLOSED),
        ),
        (
            "5.1 reset: HEADERS",
            vec![open(1, POST), reset.clone(), request(1, GET)],
            Closed(STREAM_CLOSED),
        ),
        (
            "5.1 reset: CONTINUATION",
            vec![open(1, POST), reset, frame(CONTINUATION, END_HEADERS, 1, &block(GET))],
            Closed(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_5_numbers_and_priorities() {
    check(&[
        ("5.1.1 numbers passed over", vec![request(7, GET)], Fine),
        (
            "5.1.1 one that was passed over",
            vec![request(3, GET), request(7, GET), request(5, GET)],
            Connection(PROTOCOL_ERROR),
        ),
        ("5.1.1 an even number", vec![request(2, GET)], Connection(PROTOCOL_ERROR)),
        (
            "5.1.1 a lower number",
            vec![request(5, GET), request(3, GET)],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "5.3.1 a stream that depends on itself",
            vec![frame(
                HEADERS,
                WHOLE | WITH_PRIORITY,
                1,
                &[&[0, 0, 0, 1, 15][..], &block(GET)].concat(),
            )],
            Stream(PROTOCOL_ERROR),
        ),
        ("5.3 PRIORITY", vec![frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15]), request(1, GET)], Fine),
        ("5.5 an unknown setting", vec![frame(SETTINGS, 0, 0, &setting(0xff, 1))], Ignored),
    ]);
}
