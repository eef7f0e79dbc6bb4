//! One connection with what was read from it and what is to be written to it.
//!
//! It knows nothing of HTTP, and nothing of TCP: TLS slots in as another stream type. Both
//! directions are polled from one task, so a stream is never split and never locked.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::alarm::Alarm;
use crate::input::Input;

/// A byte stream, its unread input and its unwritten output.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    pub(crate) stream: S,
    pub(crate) input: Input,
    /// Heads, chunk headers and small pieces wait here to be written with what follows. Callers
    /// bound it: they add only after the last of it was written, or up to `pump::SMALL`.
    pub(crate) output: Vec<u8>,
    /// How much of `output` the peer has taken.
    written: usize,
    moved: u64,
    /// Since the peer has said that it sends no more.
    farewell: Option<Box<Farewell>>,
}

/// How long a peer that sends no more may be waited with.
#[derive(Debug)]
struct Farewell {
    alarm: Alarm,
    /// [`Wire::moved`] when the alarm was set.
    moved: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, buffer: usize) -> Self {
        Self {
            stream,
            input: Input::new(buffer),
            output: Vec::new(),
            written: 0,
            moved: 0,
            farewell: None,
        }
    }

    /// Reads once. `0` is the end of the stream; it must not be called without room.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(self.input.room());
        debug_assert!(buffer.remaining() > 0, "a read without room would look like the end");
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.input.filled(count);
        self.moved += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Writes the output, then as much of `data` as the peer takes, in one system call where
    /// possible. Returns how much of `data` was taken.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let first = self.output.get(self.written..).unwrap_or_default();
        let stream = Pin::new(&mut self.stream);
        let taken = if first.is_empty() {
            ready!(stream.poll_write(cx, data))?
        } else if data.is_empty() {
            ready!(stream.poll_write(cx, first))?
        } else {
            ready!(stream.poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(data)]))?
        };
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.moved += taken as u64;
        let of_output = taken.min(first.len());
        self.written += of_output;
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        Poll::Ready(Ok(taken - of_output))
    }

    /// Writes all of the output.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            ready!(self.poll_write(cx, &[]))?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Bytes read and written so far, to tell movement from standstill.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Drops output that nobody will take.
    pub(crate) fn forget_output(&mut self) {
        self.output.clear();
        self.written = 0;
    }

    /// Tells the peer that nothing more will be written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Ready when the peer has reset the connection, or has closed it and took nothing for a while:
    /// who closes only its own direction still waits for an answer, and looks the same. Reads ahead
    /// (a pipelined request) as far as there is room; without room nothing can be known, and it
    /// stays pending.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(farewell) = &mut self.farewell {
            if farewell.moved != self.moved {
                farewell.moved = self.moved;
                farewell.alarm.set(HALF_CLOSED);
            }
            return farewell.alarm.poll(cx);
        }
        while self.input.has_room() {
            match ready!(self.poll_fill(cx)) {
                Ok(0) => {
                    let alarm = Alarm::new(HALF_CLOSED);
                    self.farewell = Some(Box::new(Farewell { alarm, moved: self.moved }));
                    return self.poll_gone(cx);
                }
                Ok(_) => {}
                Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Gives back memory for a rest between requests.
    pub(crate) fn rest(&mut self) {
        self.input.rest();
        if self.output.is_empty() && self.output.capacity() > KEPT_OUTPUT {
            self.output = Vec::new();
        }
    }
}

/// For an answer to begin, or to go on, when the client has closed its direction.
const HALF_CLOSED: Duration = Duration::from_secs(3);
/// The output block a resting connection may keep.
const KEPT_OUTPUT: usize = 4 * 1024;
