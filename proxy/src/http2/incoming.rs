//! What comes in through a stream: the pieces of a request's body, and the fields behind it.
//!
//! A piece is passed on from where `h2` put it. The invariant: its window is given back only when
//! it was consumed, so that a slow upstream slows its client.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::RecvStream;

use crate::field::put;

use super::request::has_blanks_around;

/// The client's half of a stream.
#[derive(Debug)]
pub(crate) struct Incoming {
    stream: RecvStream,
    /// What was read and not consumed.
    piece: Bytes,
    /// The trailer section that came behind the body, with its empty line.
    trailers: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, piece: Bytes::new(), trailers: Vec::new() }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.piece
    }

    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.piece.len());
        self.piece.advance(count);
        // It fails only on a stream that is over.
        let _ = self.stream.flow_control().release_capacity(count);
    }

    /// Waits for the next piece, which may only be asked for when the last one is consumed. `0` is
    /// the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.piece = piece;
                    return Poll::Ready(Ok(self.piece.len()));
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(io::Error::other)?;
        if let Some(trailers) = trailers {
            for (name, value) in &trailers {
                // A line without a name is refused, as such a value must be.
                let name = if has_blanks_around(value.as_bytes()) { "" } else { name.as_str() };
                put(&mut self.trailers, name, value.as_bytes());
            }
            self.trailers.extend_from_slice(b"\r\n");
        }
        Poll::Ready(Ok(0))
    }

    /// Waits for the end behind a body that is as long as was said. More of it is an error.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.stream.is_end_stream() {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(_)) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
