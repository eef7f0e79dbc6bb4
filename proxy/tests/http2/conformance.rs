//! What RFC 9113 asks of a server frame by frame: the right error in the right place, and nothing of
//! it at the origin. What it asks of messages stands in `messages`.

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GET, GOAWAY, HEADERS, PADDED, PING,
    POST, PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE,
    WITH_PRIORITY, block, frame, open, request, setting,
};
use super::link::plan;
use crate::stage::{Origin, Stage};

pub(crate) const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const COMPRESSION_ERROR: u32 = 9;

/// What the edge must do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// Answer with 200.
    Ok,
    /// Answer with something else.
    Refused,
    /// Reset the stream for this reason, or the connection, which RFC 9113 section 5.4.2 allows.
    Stream(u32),
    /// The same, where a server may also find that it is `STREAM_CLOSED`.
    Closed(u32),
    /// Say GOAWAY for this reason, or close.
    Connection(u32),
    /// Go on as if nothing was said.
    Ignored,
}

use Expected::{Closed, Connection, Ignored, Ok as Fine, Refused, Stream};

/// Sends each case on a connection of its own.
pub(crate) fn check(cases: &[(&str, Vec<Vec<u8>>, Expected)]) {
    let origin = Origin::ok();
    let stage = Stage::planned(&plan(), &[&origin]);
    let mut faults = Vec::new();
    for (name, frames, expected) in cases {
        let before = origin.seen().len();
        let mut client = Frames::connect(&stage);
        client.send(frames.concat());
        client.send(frame(PING, 0, 0, b"the end!"));
        if let Err(found) = outcome(&mut client, *expected) {
            faults.push(format!("{name}: {found}, not {expected:?}"));
        }
        let reached = origin.seen().len() - before;
        let wrong = match expected {
            Fine => reached != 1,
            Refused | Stream(_) => reached != 0,
            Closed(_) | Connection(_) | Ignored => false,
        };
        if wrong {
            faults.push(format!("{name}: {reached} requests reached the origin"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(origin.faults(), Vec::<String>::new());
}

/// Reads until it is certain what the edge did.
fn outcome(client: &mut Frames, expected: Expected) -> Result<(), String> {
    let mut seen = Vec::new();
    while let Some(next) = client.next() {
        seen.push((next.kind, next.flags, next.stream));
        match (next.kind, expected) {
            (GOAWAY, Connection(code) | Stream(code) | Closed(code)) => {
                let said = next.number(4);
                let closed = matches!(expected, Closed(_) | Connection(STREAM_CLOSED));
                // PROTOCOL_ERROR is what `h2` says where it does not want to be more precise.
                return if [code, PROTOCOL_ERROR].contains(&said) || closed && said == STREAM_CLOSED
                {
                    Ok(())
                } else {
                    Err(format!("GOAWAY {said}"))
                };
            }
            (RST_STREAM, Stream(code)) if next.number(0) == code => return Ok(()),
            (RST_STREAM, Closed(code)) if [code, STREAM_CLOSED].contains(&next.number(0)) => {
                return Ok(());
            }
            (RST_STREAM, Connection(STREAM_CLOSED)) if next.number(0) == STREAM_CLOSED => {
                return Ok(());
            }
            (RST_STREAM, _) => return Err(format!("RST_STREAM {}", next.number(0))),
            (HEADERS, Fine) if next.payload.first() == Some(&0x88) => return Ok(()),
            (HEADERS, Refused) if next.payload.first() != Some(&0x88) => return Ok(()),
            (HEADERS, Fine | Refused | Stream(_)) => return Err("the other answer".into()),
            (PING, Ignored) if next.flags == ACK && next.payload == b"the end!" => return Ok(()),
            _ => {}
        }
    }
    match expected {
        Connection(_) | Stream(_) | Closed(_) => Ok(()),
        Fine | Refused | Ignored => Err(format!("closed after {seen:?}")),
    }
}

/// An ordinary request with more fields.
pub(crate) fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [GET, more].concat()
}

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
fn section_5_streams() {
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    check(&[
        ("5.1 idle: DATA", vec![frame(DATA, END_STREAM, 1, b"x")], Connection(PROTOCOL_ERROR)),
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

#[test]
fn section_6_data_headers_priority_reset() {
    check(&[
        ("6.1 on stream 0", vec![frame(DATA, 0, 0, b"x")], Connection(PROTOCOL_ERROR)),
        (
            "6.1 more padding than payload",
            vec![open(1, POST), frame(DATA, END_STREAM | PADDED, 1, &[6, 0, 0, 0, 0, 0])],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.1 padding",
            vec![open(1, POST), frame(DATA, END_STREAM | PADDED, 1, b"\x02ab\0\0")],
            Fine,
        ),
        (
            "6.2 on stream 0",
            vec![frame(HEADERS, WHOLE, 0, &block(GET))],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.2 more padding than payload",
            vec![frame(HEADERS, WHOLE | PADDED, 1, &[&[255][..], &block(GET)].concat())],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.2 padding",
            vec![frame(HEADERS, WHOLE | PADDED, 1, &[&[2][..], &block(GET), &[0, 0]].concat())],
            Fine,
        ),
        (
            "6.3 on stream 0",
            vec![frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 1])],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.3 four bytes",
            vec![open(1, POST), frame(PRIORITY, 0, 1, &[0, 0, 0, 0])],
            Connection(FRAME_SIZE_ERROR),
        ),
        ("6.4 on stream 0", vec![frame(RST_STREAM, 0, 0, &[0; 4])], Connection(PROTOCOL_ERROR)),
        (
            "6.4 three bytes",
            vec![open(1, POST), frame(RST_STREAM, 0, 1, &[0; 3])],
            Connection(FRAME_SIZE_ERROR),
        ),
    ]);
}

#[test]
fn section_6_settings_push_ping_goaway() {
    let settings = |payload: &[u8]| vec![frame(SETTINGS, 0, 0, payload)];
    check(&[
        (
            "6.5 an ACK with a payload",
            vec![frame(SETTINGS, ACK, 0, &[0; 6])],
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "6.5 on a stream",
            vec![frame(SETTINGS, 0, 1, &setting(3, 100))],
            Connection(PROTOCOL_ERROR),
        ),
        ("6.5 five bytes", settings(&[0, 3, 0, 0, 0]), Connection(FRAME_SIZE_ERROR)),
        ("6.5.2 ENABLE_PUSH 2", settings(&setting(2, 2)), Connection(PROTOCOL_ERROR)),
        (
            "6.5.2 a window above 2^31-1",
            settings(&setting(4, 1 << 31)),
            Connection(FLOW_CONTROL_ERROR),
        ),
        (
            "6.5.2 a frame size below 2^14",
            settings(&setting(5, 16_383)),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.5.2 a frame size above 2^24-1",
            settings(&setting(5, 1 << 24)),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.5.3 the last value counts",
            settings(&[setting(4, 100), setting(4, 1)].concat()),
            Ignored,
        ),
        (
            "6.6 a client that pushes",
            vec![open(1, POST), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])],
            Connection(PROTOCOL_ERROR),
        ),
        ("6.7 on a stream", vec![frame(PING, 0, 1, &[0; 8])], Connection(PROTOCOL_ERROR)),
        ("6.7 six bytes", vec![frame(PING, 0, 0, &[0; 6])], Connection(FRAME_SIZE_ERROR)),
        ("6.7 an ACK nobody waits for", vec![frame(PING, ACK, 0, b"unasked!")], Ignored),
        ("6.8 on a stream", vec![frame(GOAWAY, 0, 1, &[0; 8])], Connection(PROTOCOL_ERROR)),
    ]);
}

#[test]
fn section_6_windows() {
    let update = |stream, by: u32| frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let most = 0x7fff_ffff;
    check(&[
        ("6.9 by 0", vec![update(0, 0)], Connection(PROTOCOL_ERROR)),
        ("6.9 by 0 on a stream", vec![open(1, POST), update(1, 0)], Stream(PROTOCOL_ERROR)),
        (
            "6.9 three bytes",
            vec![frame(WINDOW_UPDATE, 0, 0, &[0; 3])],
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "6.9.1 above 2^31-1",
            vec![update(0, most), update(0, most)],
            Connection(FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.1 above 2^31-1 on a stream",
            vec![open(1, POST), update(1, most), update(1, most)],
            Stream(FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.2 above 2^31-1 by a setting",
            vec![
                open(1, POST),
                update(1, most - 65_535),
                frame(SETTINGS, 0, 0, &setting(4, 65_536)),
            ],
            Connection(FLOW_CONTROL_ERROR),
        ),
    ]);
}

#[test]
fn section_6_10_continuation() {
    let all = block(&with(&[("a", "b"), ("c", "d")]));
    let part = |range: std::ops::Range<usize>| all[range].to_vec();
    let end = all.len();
    check(&[
        (
            "6.10 a head in three frames",
            vec![
                frame(HEADERS, END_STREAM, 1, &part(0..5)),
                frame(CONTINUATION, 0, 1, &part(5..9)),
                frame(CONTINUATION, END_HEADERS, 1, &part(9..end)),
            ],
            Fine,
        ),
        (
            "6.10 on stream 0",
            vec![
                frame(HEADERS, END_STREAM, 1, &part(0..5)),
                frame(CONTINUATION, END_HEADERS, 0, &part(5..end)),
            ],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.10 on another stream",
            vec![
                frame(HEADERS, END_STREAM, 1, &part(0..5)),
                frame(CONTINUATION, END_HEADERS, 3, &part(5..end)),
            ],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.10 after the end of a head",
            vec![open(1, POST), frame(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")]))],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.10 after DATA",
            vec![
                open(1, POST),
                frame(DATA, 0, 1, b"x"),
                frame(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")])),
            ],
            Connection(PROTOCOL_ERROR),
        ),
    ]);
}
