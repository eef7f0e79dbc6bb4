//! What the edge did with frames: the one thing that RFC 9113 says it must, or another.

use super::frames::{ACK, Frames, GET, GOAWAY, HEADERS, PING, RST_STREAM, frame};
use super::link::plan;
use crate::stage::{Origin, Stage};

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
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

/// After GOAWAY for an error nothing more is said.
fn ends(client: &mut Frames) -> Result<(), String> {
    client.next().map_or(Ok(()), |next| Err(format!("{next:?} behind GOAWAY")))
}

/// Sends each case on a connection of its own, whole and byte by byte.
pub(crate) fn check(cases: &[(&str, Vec<Vec<u8>>, Expected)]) {
    let mut faults = Vec::new();
    for (name, frames, expected) in cases {
        // Of its own: what a broken connection has sent on may arrive late.
        let origin = Origin::ok();
        let stage = Stage::planned(&plan(), &[&origin]);
        let bytes = [frames.concat(), frame(PING, 0, 0, b"the end!")].concat();
        for pieces in [bytes.len(), 1] {
            // What is long is long because of its length.
            if pieces == 1 && bytes.len() > 1000 {
                continue;
            }
            let before = origin.seen().len();
            let mut client = Frames::connect(&stage);
            bytes.chunks(pieces).for_each(|piece| client.send(piece));
            if let Err(found) = outcome(&mut client, *expected) {
                faults.push(format!("{name}, in pieces of {pieces}: {found}, not {expected:?}"));
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
        faults.extend(origin.faults());
    }
    assert!(faults.is_empty(), "{faults:#?}");
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
                return if said == code || closed && said == STREAM_CLOSED {
                    ends(client)
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
