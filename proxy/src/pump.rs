//! A body on its way from one party to the other.
//!
//! It knows nothing of heads. It never reads more before what it has is written, so a slow reader
//! slows the sender, and it never waits for more before what it has is sent, so that a stream is
//! never held back. The invariant: only bytes the decoder called data are passed on.

use std::io;
use std::task::{Context, Poll, ready};

use crate::body::{Body, Step, put_trailers};
use crate::head::Malformed;
use crate::party::Party;
use crate::rules::compression::Encoder;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is: its length was announced, or closing ends it.
    Plain,
    Chunked,
}

/// Why a body did not get across.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Leak {
    #[error("the body is malformed")]
    Malformed(#[from] Malformed),
    #[error("the sender is gone")]
    Source(#[source] io::Error),
    #[error("the receiver is gone")]
    Sink(#[source] io::Error),
}

/// What a pump that cannot go on waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    ForSource,
    ForSink,
}

/// One body in motion.
#[derive(Debug)]
pub(crate) struct Pump {
    body: Body,
    encoding: Encoding,
    /// What data goes through before it is written.
    encoder: Option<Encoder>,
    /// Data at the front of the source's input that is being written from where it is.
    in_place: usize,
    ended: bool,
    moved: u64,
    waiting: Waiting,
}

/// Pieces up to this size are copied behind what waits to be written; larger ones are written from
/// where they were read.
const SMALL: usize = 8 * 1024;

impl Pump {
    pub(crate) fn new(body: Body, encoding: Encoding) -> Self {
        let waiting = Waiting::ForSource;
        Self { body, encoding, encoder: None, in_place: 0, ended: false, moved: 0, waiting }
    }

    /// Compresses the data on its way.
    pub(crate) fn through(mut self, encoder: Option<Encoder>) -> Self {
        self.encoder = encoder;
        self
    }

    /// Data bytes passed on so far, as they were read.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Moves what can be moved; ready when the body is across, to its last byte.
    pub(crate) fn poll<S, T>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        sink: &mut T,
    ) -> Poll<Result<(), Leak>>
    where
        S: Party,
        T: Party,
    {
        loop {
            self.waiting = Waiting::ForSink;
            ready!(self.poll_in_place(cx, source, sink)).map_err(Leak::Sink)?;
            if self.ended {
                return sink.poll_flush(cx).map_err(Leak::Sink);
            }
            let mut after = self.body;
            let step = after.step(source.unread())?;
            if after == Body::EMPTY {
                // What says that it has ended, and goes on, is malformed: its end is not passed on.
                self.waiting = Waiting::ForSource;
                ready!(source.poll_end(cx)).map_err(Leak::Source)?;
                self.waiting = Waiting::ForSink;
            }
            self.body = after;
            match step {
                Step::Skip(count) => source.consume(count),
                Step::Data(count) => self.take(count, source, sink).map_err(Leak::Sink)?,
                Step::End { skip, trailers } => {
                    let section = source.unread().get(..trailers).unwrap_or_default();
                    self.finish(section, sink)?;
                    source.consume(skip);
                }
                Step::More => {
                    ready!(sink.poll_flush(cx)).map_err(Leak::Sink)?;
                    self.waiting = Waiting::ForSource;
                    if !source.has_room() {
                        return Poll::Ready(Err(Leak::Malformed(Malformed::Chunk)));
                    }
                    let filled = source.poll_fill(cx);
                    if filled.is_pending() && self.hand_over(sink).map_err(Leak::Sink)? {
                        continue;
                    }
                    match ready!(filled) {
                        Ok(0) if self.body == Body::UntilClose => {
                            self.finish(source.trailers(), sink)?;
                        }
                        Ok(0) => return Poll::Ready(Err(Malformed::Truncated.into())),
                        Ok(_) => {}
                        Err(error) => return Poll::Ready(Err(Leak::Source(error))),
                    }
                }
            }
        }
    }

    /// Takes out of the encoder what it withholds, now that the sender pauses. Whether there was
    /// anything.
    fn hand_over<T: Party>(&mut self, sink: &mut T) -> io::Result<bool> {
        let Some(encoder) = self.encoder.as_mut().filter(|encoder| encoder.withholds()) else {
            return Ok(false);
        };
        encoder.flush()?;
        put_piece(self.encoding, encoder.ready(), sink.output());
        Ok(true)
    }

    /// Writes data from where it was read, together with what waits before it.
    fn poll_in_place<S, T>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        sink: &mut T,
    ) -> Poll<io::Result<()>>
    where
        S: Party,
        T: Party,
    {
        while self.in_place > 0 {
            let data = source.unread().get(..self.in_place).unwrap_or_default();
            let taken = ready!(sink.poll_write(cx, data))?;
            source.consume(taken);
            self.in_place -= taken;
            if self.in_place == 0 {
                self.put_tail(sink.output());
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take<S: Party, T: Party>(
        &mut self,
        count: usize,
        source: &mut S,
        sink: &mut T,
    ) -> io::Result<()> {
        self.moved += count as u64;
        if let Some(encoder) = &mut self.encoder {
            encoder.push(source.unread().get(..count).unwrap_or_default())?;
            source.consume(count);
            put_piece(self.encoding, encoder.ready(), sink.output());
            return Ok(());
        }
        put_size(self.encoding, count, sink.output());
        if count <= SMALL && sink.output().len() <= 2 * SMALL {
            let data = source.unread().get(..count).unwrap_or_default();
            sink.output().extend_from_slice(data);
            source.consume(count);
            self.put_tail(sink.output());
        } else {
            self.in_place = count;
        }
        Ok(())
    }

    fn finish<T: Party>(&mut self, trailers: &[u8], sink: &mut T) -> Result<(), Leak> {
        self.ended = true;
        if let Some(mut encoder) = self.encoder.take() {
            encoder.finish().map_err(Leak::Sink)?;
            put_piece(self.encoding, encoder.ready(), sink.output());
        }
        Ok(sink.put_end(self.encoding, trailers)?)
    }

    fn put_tail(&self, out: &mut Vec<u8>) {
        if self.encoding == Encoding::Chunked {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends a body that is here as a whole and returns how much data it has. The source keeps it,
/// so that it can be sent again.
pub(crate) fn put_whole(
    mut body: Body,
    encoding: Encoding,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<u64, Malformed> {
    let mut rest = input;
    let mut moved = 0;
    loop {
        let count = match body.step(rest)? {
            Step::Skip(count) => count,
            Step::Data(count) => {
                moved += count as u64;
                put_size(encoding, count, out);
                out.extend_from_slice(rest.get(..count).unwrap_or_default());
                if encoding == Encoding::Chunked {
                    out.extend_from_slice(b"\r\n");
                }
                count
            }
            Step::End { trailers, .. } => {
                put_end(encoding, rest.get(..trailers).unwrap_or_default(), out)?;
                return Ok(moved);
            }
            Step::More => return Err(Malformed::Truncated),
        };
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// Moves a piece of a body behind what waits to be written. An empty one is none: as a chunk it
/// would end the body.
fn put_piece(encoding: Encoding, piece: &mut Vec<u8>, out: &mut Vec<u8>) {
    if piece.is_empty() {
        return;
    }
    put_size(encoding, piece.len(), out);
    out.append(piece);
    if encoding == Encoding::Chunked {
        out.extend_from_slice(b"\r\n");
    }
}

fn put_size(encoding: Encoding, count: usize, out: &mut Vec<u8>) {
    if encoding == Encoding::Chunked {
        out.extend_from_slice(format!("{count:x}\r\n").as_bytes());
    }
}

/// Appends the end of a body.
pub(crate) fn put_end(
    encoding: Encoding,
    trailers: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    if encoding == Encoding::Chunked {
        out.extend_from_slice(b"0\r\n");
        put_trailers(trailers, out)?;
        out.extend_from_slice(b"\r\n");
        return Ok(());
    }
    put_trailers(trailers, &mut Vec::new())
}
