//! The frames of a client, looked at before `h2` reads them.
//!
//! For most of what can be wrong with a frame `h2` says `PROTOCOL_ERROR`; RFC 9113 names the error,
//! and a client's author who reads it looks for that one. Only heads of frames and the few fields
//! of SETTINGS are read, nothing is copied, and what needs more knowledge than that is left to `h2`.
//! The invariant: of a frame that breaks a rule known here, `h2` never sees the last byte.

use std::cell::Cell;
use std::rc::Rc;

use h2::Reason;

use super::blocks::Blocks;
use super::numbers::{Numbers, Stream};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const WITH_PRIORITY: u8 = 0x20;

const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
const LARGEST_WINDOW: u32 = 0x7fff_ffff;

/// What the connection is to be ended for, seen by whoever can do that.
pub(crate) type Breach = Rc<Cell<Option<Reason>>>;

/// Where a client stands in what it says.
#[derive(Debug)]
pub(crate) struct Guard {
    breach: Breach,
    /// Bytes of a frame's payload, or of the preface, that are still to come.
    left: usize,
    head: [u8; 9],
    /// How much of the head was read.
    read: usize,
    frames: Frames,
    payload: Payload,
    numbers: Numbers,
    /// The stream whose header block is not at its end.
    block: Option<u32>,
    kept: Blocks,
}

/// How far the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frames {
    Awaited,
    Begun,
    /// It broke a rule.
    Over,
}

/// What the payload is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Nothing,
    /// A setting, of which so many bytes were read.
    Settings {
        entry: [u8; 6],
        read: usize,
    },
    /// The block of a trailer section, behind this many bytes, and what was read of its first.
    Trailers {
        skip: usize,
        first: [u8; 3],
        read: usize,
    },
}

impl Guard {
    /// One that sees the first bytes of a connection, of which `preface` are not frames.
    pub(crate) fn new(preface: usize) -> Self {
        Self {
            breach: Rc::default(),
            left: preface,
            head: [0; 9],
            read: 0,
            frames: Frames::Awaited,
            payload: Payload::Nothing,
            numbers: Numbers::default(),
            block: None,
            kept: Blocks::default(),
        }
    }

    /// Where it is told what the connection is to be ended for.
    pub(crate) fn breach(&self) -> Breach {
        Rc::clone(&self.breach)
    }

    /// How many of these bytes may be read. If not all, a rule was broken and no more will be.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        if self.frames == Frames::Over {
            return at;
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let here = rest.len().min(if self.left > 0 { self.left } else { 9 - self.read });
            let piece = rest.get(..here).unwrap_or_default();
            let judged = if self.left > 0 { self.payload(piece) } else { self.head(piece) };
            if let Err(reason) = judged {
                self.breach.set(Some(reason));
                self.frames = Frames::Over;
                // Without its last byte it is no frame.
                return at + here - 1;
            }
            at += here;
        }
        at
    }

    /// Says that `h2` asks for more, having understood what it got.
    pub(crate) fn read_on(&mut self) {
        self.kept.understood();
    }

    /// Whether `h2` can only have failed to read one of the last header blocks: everything else for
    /// which it ends a connection was looked at here.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.kept.are_unreadable()
    }

    /// Looks at a part of a payload.
    fn payload(&mut self, piece: &[u8]) -> Result<(), Reason> {
        self.left -= piece.len();
        let [_, _, _, kind, ..] = self.head;
        if self.frames == Frames::Begun && matches!(kind, HEADERS | CONTINUATION) {
            self.kept.keep(piece);
            self.frame_read();
        }
        match &mut self.payload {
            Payload::Nothing => Ok(()),
            Payload::Settings { entry, read } => {
                for byte in piece {
                    if let Some(place) = entry.get_mut(*read) {
                        *place = *byte;
                    }
                    *read = (*read + 1) % 6;
                    let [high, low, value @ ..] = *entry;
                    let value = u32::from_be_bytes(value);
                    if *read == 0 && [high, low] == INITIAL_WINDOW_SIZE && value > LARGEST_WINDOW {
                        return Err(Reason::FLOW_CONTROL_ERROR);
                    }
                }
                Ok(())
            }
            Payload::Trailers { skip, first, read } => {
                let skipped = piece.len().min(*skip);
                *skip -= skipped;
                for byte in piece.iter().skip(skipped) {
                    let Some(place) = first.get_mut(*read) else { break };
                    *place = *byte;
                    *read += 1;
                }
                if is_pseudo(*first) { Err(Reason::PROTOCOL_ERROR) } else { Ok(()) }
            }
        }
    }

    /// Looks at a part of a head, and judges it when it is whole.
    fn head(&mut self, piece: &[u8]) -> Result<(), Reason> {
        for byte in piece {
            if let Some(place) = self.head.get_mut(self.read) {
                *place = *byte;
            }
            self.read += 1;
        }
        if self.read < 9 {
            return Ok(());
        }
        self.read = 0;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = self.head;
        self.left = usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2);
        self.payload = Payload::Nothing;
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        if self.frames == Frames::Awaited && kind != SETTINGS {
            return Err(Reason::PROTOCOL_ERROR);
        }
        self.frames = Frames::Begun;
        if self.block.is_some_and(|block| kind != CONTINUATION || block != stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        self.sized(kind, flags)?;
        self.placed(kind, stream)?;
        self.followed(kind, flags, stream)
    }

    /// Whether the payload is as long as one of this kind is (section 6).
    fn sized(&self, kind: u8, flags: u8) -> Result<(), Reason> {
        let padding = usize::from(flags & PADDED != 0);
        let priority = if flags & WITH_PRIORITY == 0 { 0 } else { 5 };
        let fits = match kind {
            DATA => self.left >= padding,
            HEADERS => self.left >= padding + priority,
            PRIORITY => self.left == 5,
            RST_STREAM | WINDOW_UPDATE => self.left == 4,
            SETTINGS if flags & ACK != 0 => self.left == 0,
            SETTINGS => self.left.is_multiple_of(6),
            PING => self.left == 8,
            GOAWAY => self.left >= 8,
            _ => true,
        };
        if fits { Ok(()) } else { Err(Reason::FRAME_SIZE_ERROR) }
    }

    /// Whether it is on a stream, or on none, as one of this kind is (section 6).
    fn placed(&self, kind: u8, stream: u32) -> Result<(), Reason> {
        let right = match kind {
            SETTINGS | PING | GOAWAY => stream == 0,
            DATA | HEADERS | PRIORITY | RST_STREAM => stream != 0,
            CONTINUATION => self.block == Some(stream),
            // No client may push (section 8.4).
            PUSH_PROMISE => false,
            _ => true,
        };
        if right { Ok(()) } else { Err(Reason::PROTOCOL_ERROR) }
    }

    /// Whether the stream may get this now (section 5.1), and what becomes of it.
    fn followed(&mut self, kind: u8, flags: u8, stream: u32) -> Result<(), Reason> {
        match kind {
            SETTINGS => self.payload = Payload::Settings { entry: [0; 6], read: 0 },
            HEADERS => {
                let padding = usize::from(flags & PADDED != 0);
                let priority = if flags & WITH_PRIORITY == 0 { 0 } else { 5 };
                self.kept.begin_frame(priority, padding);
                match self.numbers.state(stream) {
                    Stream::Idle if stream % 2 == 1 => self.numbers.opened(stream),
                    Stream::Idle | Stream::PassedOver => return Err(Reason::PROTOCOL_ERROR),
                    Stream::Ended => return Err(Reason::STREAM_CLOSED),
                    Stream::Open => {
                        let skip = padding + priority;
                        self.payload = Payload::Trailers { skip, first: [0; 3], read: 0 };
                    }
                }
                self.block = (flags & END_HEADERS == 0).then_some(stream);
            }
            CONTINUATION if flags & END_HEADERS != 0 => self.block = None,
            DATA => match self.numbers.state(stream) {
                Stream::Open => {}
                Stream::Idle | Stream::PassedOver => return Err(Reason::PROTOCOL_ERROR),
                Stream::Ended => return Err(Reason::STREAM_CLOSED),
            },
            RST_STREAM | WINDOW_UPDATE
                if self.numbers.state(stream) == Stream::Idle && stream != 0 =>
            {
                return Err(Reason::PROTOCOL_ERROR);
            }
            _ => {}
        }
        if matches!(kind, HEADERS | CONTINUATION) {
            self.frame_read();
        }
        if kind == RST_STREAM || matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            self.numbers.ended(stream);
        }
        Ok(())
    }

    /// Notes the end of a part of a header block, if it was read to its end.
    fn frame_read(&mut self) {
        if self.left == 0 {
            self.kept.end_frame();
            if self.block.is_none() {
                self.kept.end_block();
            }
        }
    }
}

/// Whether a header block that begins with these bytes begins with a pseudo-header field: an entry
/// of the static table, or a name that begins with a colon, coded or not (RFC 7541 section 6 and its
/// appendices). They come before all other fields.
fn is_pseudo(first: [u8; 3]) -> bool {
    match first {
        [0x81..=0x8e | 0x41..=0x4e | 0x01..=0x0e | 0x11..=0x1e, ..] => true,
        [0x40 | 0x00 | 0x10, length, name] if length & 0x80 == 0 => length > 0 && name == b':',
        [0x40 | 0x00 | 0x10, length, name] => length > 0x80 && name >> 1 == CODED_COLON,
        _ => false,
    }
}

/// The seven bits of a colon.
const CODED_COLON: u8 = 0x5c;
