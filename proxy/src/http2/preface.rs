//! The first bytes of an HTTP/2 connection, looked at before `h2` sees them.
//!
//! `h2` drops a connection that begins wrongly without a word; a client that only made a mistake
//! would see a broken TLS stream. Not a negotiation: HTTP/2 was agreed on before. The frames that
//! follow are the `guard`'s.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::alarm::Alarm;
use crate::limits::Limits;
use crate::parting;
use crate::wire::Wire;

use super::guard::{Breach, Guard};

/// RFC 9113 section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame, which is how a server begins.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY: no stream was served, because of a `PROTOCOL_ERROR`.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

const COMPRESSION_ERROR: u8 = 9;

/// Whether this ends with a GOAWAY for a `PROTOCOL_ERROR`.
fn is_goaway(bytes: &[u8]) -> bool {
    let last = bytes.last_chunk::<17>();
    last.is_some_and(|last| matches!(last, [0, 0, 8, 7, 0, 0, 0, 0, 0, .., 0, 0, 0, 1]))
}

/// A stream whose first bytes were read and are read again.
#[derive(Debug)]
pub(crate) struct Begun<S> {
    stream: S,
    first: Vec<u8>,
    at: usize,
    guard: Guard,
    /// Bytes that are still thrown away when the connection ends.
    linger: usize,
}

/// Waits for the preface in time; whoever sends something else is told so.
pub(crate) async fn read<S>(stream: S, alarm: &mut Alarm, limits: &Limits) -> Option<Begun<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut wire = Wire::new(stream, limits.buffer);
    let began_well = poll_fn(|cx| {
        loop {
            let bytes = wire.input.bytes();
            let length = bytes.len().min(PREFACE.len());
            if bytes.get(..length) != PREFACE.get(..length) {
                return Poll::Ready(Some(false));
            }
            if length == PREFACE.len() {
                return Poll::Ready(Some(true));
            }
            match wire.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => return alarm.poll(cx).map(|()| None),
            }
        }
    })
    .await?;
    if began_well {
        let (first, guard) = (wire.input.bytes().to_vec(), Guard::new(PREFACE.len()));
        let linger = limits.linger_bytes;
        return Some(Begun { stream: wire.stream, first, at: 0, guard, linger });
    }
    wire.output.extend_from_slice(&SETTINGS);
    wire.output.extend_from_slice(&GOAWAY);
    if parting::flush(&mut wire, alarm, limits).await.is_ok() {
        parting::part(&mut wire, alarm, limits).await;
    }
    None
}

impl<S: AsyncRead + Unpin> Begun<S> {
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

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Begun<S> {
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
