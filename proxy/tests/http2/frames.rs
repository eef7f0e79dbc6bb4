//! A client that sends and reads raw HTTP/2 frames.
//!
//! Not a model of HTTP/2: it keeps no state of streams or windows, so that it can break every rule.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use super::link::{self, Link};
use crate::stage::{PATIENCE, Stage};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;
/// A whole request in one HEADERS frame.
pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The fields of an ordinary request.
pub(crate) const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "app.test")];
/// The same with a body.
pub(crate) const POST: &[(&str, &str)] =
    &[(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "app.test")];

/// One frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields as literals that are not indexed and not compressed (RFC 7541 section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        put_string(&mut block, name.as_bytes());
        put_string(&mut block, value.as_bytes());
    }
    block
}

fn put_string(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend_from_slice(text);
}

/// A whole request without a body.
pub(crate) fn request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, &block(fields))
}

/// The head of a request whose body follows.
pub(crate) fn open(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(fields))
}

pub(crate) fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// One frame as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The four bytes from `at` on as a number.
    pub(crate) fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection on which frames are sent and read.
pub(crate) struct Frames {
    link: Box<dyn Link>,
    buffer: Vec<u8>,
}

impl Frames {
    /// A connection on which nothing was sent.
    pub(crate) fn silent(stage: &Stage) -> Self {
        Self { link: link::open(stage), buffer: Vec::new() }
    }

    /// A connection whose preface and settings are exchanged.
    pub(crate) fn connect(stage: &Stage) -> Self {
        let mut frames = Self::silent(stage);
        frames.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        let mut acknowledged = false;
        while !acknowledged {
            let next = frames.next().expect("the edge's settings and its acknowledgement");
            if next.kind == SETTINGS && next.flags == 0 {
                frames.send(frame(SETTINGS, ACK, 0, &[]));
            }
            acknowledged = next.kind == SETTINGS && next.flags == ACK;
        }
        frames
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The edge may have closed before all was sent: what it said is what counts.
        let _ = self.link.write_all(bytes.as_ref());
        let _ = self.link.flush();
    }

    /// The next frame; `None` when the connection is closed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.fill(9)?;
        let length = [0, self.buffer[0], self.buffer[1], self.buffer[2]];
        let whole = 9 + usize::try_from(u32::from_be_bytes(length)).unwrap();
        self.fill(whole)?;
        let bytes: Vec<u8> = self.buffer.drain(..whole).collect();
        let stream = u32::from_be_bytes(bytes[5..9].try_into().unwrap());
        Some(Frame { kind: bytes[3], flags: bytes[4], stream, payload: bytes[9..].to_vec() })
    }

    fn fill(&mut self, wanted: usize) -> Option<()> {
        let began = Instant::now();
        let mut piece = [0; 16 * 1024];
        while self.buffer.len() < wanted {
            match self.link.read(&mut piece) {
                Ok(count @ 1..) => self.buffer.extend_from_slice(&piece[..count]),
                Ok(0) | Err(_) => {
                    assert!(began.elapsed() < PATIENCE, "the edge said nothing");
                    return None;
                }
            }
        }
        Some(())
    }

    /// The next frame of this kind; `None` when the connection is closed before.
    pub(crate) fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let next = self.next()?;
            if next.kind == kind {
                return Some(next);
            }
        }
    }
}
