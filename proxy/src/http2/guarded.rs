//! A client's stream with a `guard` in between: `h2` reads what passes, and what it says is corrected
//! where it has the wrong word.
//!
//! It judges nothing itself. The invariant: whoever is sent a GOAWAY can read it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::Limits;

use super::guard::{Breach, Guard};

/// A client's stream under guard.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    stream: S,
    /// What was read before, and how much of it was read again.
    first: Vec<u8>,
    at: usize,
    guard: Guard,
    /// Bytes that are still thrown away when the connection ends.
    linger: usize,
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Guards a connection from its preface, which is so many bytes of the `first`.
    pub(crate) fn new(stream: S, first: Vec<u8>, preface: usize, limits: &Limits) -> Self {
        let (guard, linger) = (Guard::new(preface), limits.linger_bytes);
        Self { stream, first, at: 0, guard, linger }
    }

    /// Where it is told what ends the connection.
    pub(crate) fn breach(&self) -> Breach {
        self.guard.breach()
    }

    /// Reads once: what was read before, or more.
    fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.first.len() {
            self.first = Vec::new();
            self.at = 0;
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let rest = self.first.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        self.at += count;
        Poll::Ready(Ok(()))
    }

    /// Throws away what is here. A socket that is closed with unread bytes resets its connection,
    /// which may overtake the GOAWAY that says why.
    fn drain(&mut self, cx: &mut Context<'_>) {
        let mut piece = [0; 4096];
        while self.linger > 0 {
            let mut buffer = ReadBuf::new(&mut piece);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            match (read, buffer.filled().len()) {
                (Poll::Ready(Ok(())), count @ 1..) => {
                    self.linger = self.linger.saturating_sub(count);
                }
                _ => return,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.guard.read_on();
        let before = buffer.filled().len();
        ready!(this.poll_bytes(cx, buffer))?;
        let bytes = buffer.filled().get(before..).unwrap_or_default();
        let passed = this.guard.pass(bytes);
        if passed == bytes.len() {
            return Poll::Ready(Ok(()));
        }
        buffer.set_filled(before + passed);
        // Nothing would be the end. Whoever waits for more looks for the breach then.
        if passed == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if is_goaway(bytes) && self.guard.is_unreadable() {
            let mut bytes = bytes.to_vec();
            bytes.pop();
            bytes.push(COMPRESSION_ERROR);
            return Pin::new(&mut self.stream).poll_write(cx, &bytes);
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        self.drain(cx);
        Poll::Ready(shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [piece] = pieces {
            return self.poll_write(cx, piece);
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

const COMPRESSION_ERROR: u8 = 9;

/// Whether this ends with a GOAWAY for a `PROTOCOL_ERROR`.
fn is_goaway(bytes: &[u8]) -> bool {
    let last = bytes.last_chunk::<17>();
    last.is_some_and(|last| matches!(last, [0, 0, 8, 7, 0, 0, 0, 0, 0, .., 0, 0, 0, 1]))
}
