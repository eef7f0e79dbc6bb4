//! The first bytes of an HTTP/2 connection, looked at before `h2` sees them.
//!
//! `h2` drops a connection that begins wrongly without a word; a client that only made a mistake
//! would see a broken TLS stream. Not a negotiation: HTTP/2 was agreed on before.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

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

/// A stream whose first bytes were read and are read again.
#[derive(Debug)]
pub(crate) struct Begun<S> {
    stream: S,
    first: Vec<u8>,
    at: usize,
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
                // What follows must be SETTINGS; a client may wait for ours before it sends them.
                let kind = bytes.get(PREFACE.len() + KIND).copied();
                return Poll::Ready(Some(matches!(kind, None | Some(SETTINGS_KIND))));
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
        return Some(Begun { stream: wire.stream, first, at: 0 });
    }
    wire.output.extend_from_slice(&SETTINGS);
    wire.output.extend_from_slice(&GOAWAY);
    if parting::flush(&mut wire, alarm, limits).await.is_ok() {
        parting::part(&mut wire, alarm, limits).await;
    }
    None
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let rest = self.first.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        self.at += count;
        if self.at == self.first.len() {
            self.first = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
