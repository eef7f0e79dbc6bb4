//! Noticing that the other side has fallen silent, whatever is or is not being sent.
//!
//! Twice a second it is asked for a sign of life (a PING of HTTP/2). Any byte is one: an answer may stand
//! behind megabytes on a slow line, and a peer that sends these is not dead.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use h2::{Ping, PingPong};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep, timeout_at},
};

/// A stream that notes when something came.
#[derive(Debug)]
pub(super) struct Heard<S> {
    stream: S,
    last: Last,
}

/// When something came last.
#[derive(Debug, Clone)]
pub(super) struct Last {
    began: Instant,
    /// Milliseconds since `began`.
    at: Arc<AtomicU64>,
}

impl<S> Heard<S> {
    pub(super) fn new(stream: S) -> (Self, Last) {
        let last = Last { began: Instant::now(), at: Arc::default() };
        (Self { stream, last: last.clone() }, last)
    }
}

impl Last {
    fn note(&self) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.store(elapsed, Ordering::Relaxed);
    }

    fn at(&self) -> Instant {
        self.began + Duration::from_millis(self.at.load(Ordering::Relaxed))
    }
}

/// Asks for signs of life; ends when there is none, or the connection has ended anyway.
pub(super) async fn silence(mut pings: PingPong, last: Last) {
    loop {
        sleep(ASK_EVERY).await;
        let asked = Instant::now();
        let mut answer = pin!(pings.ping(Ping::opaque()));
        loop {
            let deadline = asked.max(last.at()) + SILENT_FOR;
            match timeout_at(deadline, answer.as_mut()).await {
                Ok(Ok(_)) => break,
                Ok(Err(_)) => return,
                Err(_) if last.at() + SILENT_FOR <= deadline => return,
                Err(_) => {}
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.last.note();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Without a byte for so long after a question, nobody is there.
const SILENT_FOR: Duration = Duration::from_millis(1400);
