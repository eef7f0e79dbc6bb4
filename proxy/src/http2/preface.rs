//! The first bytes of an HTTP/2 connection, looked at before `h2` sees them.
//!
//! `h2` drops a connection that begins wrongly without a word; a client that only made a mistake
//! would see a broken TLS stream. And it takes any frame for the first one, which must be SETTINGS.
//! Not a negotiation: HTTP/2 was agreed on before.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::alarm::Alarm;
use crate::limits::Limits;
use crate::parting;
use crate::wire::Wire;

/// RFC 9113 section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where a frame says of what kind it is.
const KIND: usize = 3;
const SETTINGS_KIND: u8 = 4;

/// An empty SETTINGS frame, which is how a server begins.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY: no stream was served, because of a `PROTOCOL_ERROR`.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// What `h2` reads in the place of a first frame that is none: SETTINGS of a stream, for which it
/// ends the connection as it should be ended (RFC 9113 section 6.5).
const WRONG: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 1];

/// A stream whose first bytes were read and are read again.
#[derive(Debug)]
pub(crate) struct Begun<S> {
    stream: S,
    first: Vec<u8>,
    at: usize,
    frame: First,
    /// Bytes that are still thrown away when the connection ends.
    linger: usize,
}

/// What is known of the first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// Its kind was not read yet: a client may wait for our settings before it sends its own.
    Awaited,
    Settings,
    Wrong,
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
                return Poll::Ready(Some(first_frame(bytes) != First::Wrong));
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
        let first = wire.input.bytes().to_vec();
        let (frame, linger) = (first_frame(&first), limits.linger_bytes);
        return Some(Begun { stream: wire.stream, first, at: 0, frame, linger });
    }
    wire.output.extend_from_slice(&SETTINGS);
    wire.output.extend_from_slice(&GOAWAY);
    if parting::flush(&mut wire, alarm, limits).await.is_ok() {
        parting::part(&mut wire, alarm, limits).await;
    }
    None
}

/// Looks at what follows the preface.
fn first_frame(bytes: &[u8]) -> First {
    match bytes.get(PREFACE.len() + KIND) {
        None => First::Awaited,
        Some(&SETTINGS_KIND) => First::Settings,
        Some(_) => First::Wrong,
    }
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Reads until the kind of the first frame is known.
    fn poll_first_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.frame == First::Awaited {
            let mut piece = [0; KIND + 1];
            let mut buffer = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                self.frame = First::Settings; // and then nothing: `h2` sees the end
            }
            self.first.extend_from_slice(buffer.filled());
            if self.frame == First::Awaited {
                self.frame = first_frame(&self.first);
            }
            if self.frame == First::Wrong {
                self.first.truncate(PREFACE.len());
                self.first.extend_from_slice(&WRONG);
            }
        }
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
        if this.at == this.first.len() {
            ready!(this.poll_first_frame(cx))?;
        }
        if this.at == this.first.len() {
            this.first = Vec::new();
            this.at = 0;
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let rest = this.first.get(this.at..).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        this.at += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
