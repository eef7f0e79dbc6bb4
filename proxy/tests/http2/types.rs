//! What RFC 9113 section 6 asks of a server type by type: the right error in the right place, and
//! nothing of it at the origin.

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PADDED, PING, POST,
    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, WITH_PRIORITY, block,
    frame, open, setting,
};
use super::outcome::Expected::{Connection, Ignored, Ok as Fine, Stream};
use super::outcome::{FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR, check, with};

#[test]
fn section_6_data_and_headers() {
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
            "6.1 nothing but padding",
            vec![open(1, POST), frame(DATA, END_STREAM | PADDED, 1, b"\x02\0\0")],
            Fine,
        ),
        (
            "6.1 padding of the whole payload",
            vec![open(1, POST), frame(DATA, END_STREAM | PADDED, 1, b"\x01")],
            Connection(PROTOCOL_ERROR),
        ),
        (
            "6.2 padding and priority",
            vec![frame(
                HEADERS,
                WHOLE | PADDED | WITH_PRIORITY,
                1,
                &[&[1, 0x80, 0, 0, 0, 15][..], &block(GET), &[0]].concat(),
            )],
            Fine,
        ),
    ]);
}

#[test]
fn section_6_priority_and_reset() {
    check(&[
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
        (
            "6.3 six bytes",
            vec![open(1, POST), frame(PRIORITY, 0, 1, &[0; 6])],
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "6.4 five bytes",
            vec![open(1, POST), frame(RST_STREAM, 0, 1, &[0; 5])],
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
        ("6.5 seven bytes", settings(&[0; 7]), Connection(FRAME_SIZE_ERROR)),
        ("6.5 an ACK on a stream", vec![frame(SETTINGS, ACK, 1, &[])], Connection(PROTOCOL_ERROR)),
        ("6.5 unknown flags", vec![frame(SETTINGS, 0xfe, 0, &[])], Ignored),
        (
            "6.5.2 a window above 2^31-1, and others",
            settings(&[setting(3, 1), setting(4, u32::MAX), setting(1, 0)].concat()),
            Connection(FLOW_CONTROL_ERROR),
        ),
        ("6.5.2 the largest window", settings(&setting(4, (1 << 31) - 1)), Ignored),
        ("6.5.2 the largest frame size", settings(&setting(5, (1 << 24) - 1)), Ignored),
        ("6.7 nine bytes", vec![frame(PING, 0, 0, &[0; 9])], Connection(FRAME_SIZE_ERROR)),
        ("6.8 seven bytes", vec![frame(GOAWAY, 0, 0, &[0; 7])], Connection(FRAME_SIZE_ERROR)),
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
        ("6.9 by 0 and the reserved bit", vec![update(0, 1 << 31)], Connection(PROTOCOL_ERROR)),
        ("6.9 the reserved bit", vec![update(0, 1 << 31 | 1)], Ignored),
        ("6.9 five bytes", vec![frame(WINDOW_UPDATE, 0, 0, &[0; 5])], Connection(FRAME_SIZE_ERROR)),
        (
            "6.9 three bytes on a stream",
            vec![open(1, POST), frame(WINDOW_UPDATE, 0, 1, &[0; 3])],
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
            "6.10 frames with nothing in them",
            vec![
                frame(HEADERS, END_STREAM, 1, &[]),
                frame(CONTINUATION, 0, 1, &[]),
                frame(CONTINUATION, END_HEADERS, 1, &all),
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
