//! Tunnels: bytes both ways over one stream of a link, to a connection at its far side.
//!
//! Each direction ends by itself (`END_STREAM` is a FIN). What ends otherwise is an error at both ends,
//! never an end: half of an answer must not look whole.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    try_join,
};

use super::{
    Far,
    body::is_end,
    wire::{broken, given_up, poll_room, send},
};

/// The near end of a tunnel. Dropped before both directions have ended, it breaks the connection at the
/// far end.
#[derive(Debug)]
pub struct Tunnel {
    outgoing: SendStream<Bytes>,
    incoming: RecvStream,
    unread: Bytes,
}

impl Tunnel {
    pub(super) fn new(outgoing: SendStream<Bytes>, incoming: RecvStream) -> Self {
        Self { outgoing, incoming, unread: Bytes::new() }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(data)) => self.unread = data,
                Some(Err(error)) if is_end(&error) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(self.unread.get(..count).unwrap_or_default());
        self.unread.advance(count);
        let released = self.incoming.flow_control().release_capacity(count);
        Poll::Ready(released.map_err(broken))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(poll_room(&mut self.outgoing, cx, data.len().min(CHUNK)))?;
        let taken = Bytes::copy_from_slice(data.get(..room).unwrap_or_default());
        self.outgoing.send_data(taken, false).map_err(broken)?;
        Poll::Ready(Ok(room))
    }

    /// What was written is on its way as soon as the window allows.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.outgoing.send_data(Bytes::new(), true).map_err(broken))
    }
}

/// Carries a tunnel at its far side until both directions have ended or one breaks.
pub(super) async fn carry(
    mut target: Far,
    mut outgoing: SendStream<Bytes>,
    mut incoming: RecvStream,
) {
    // Whatever ends this before its end, also the loss of the link, resets the connection.
    let abruptly = SockRef::from(&target).set_linger(Some(Duration::ZERO));
    let both = match &mut target {
        Far::Tcp(stream) => {
            let (from_target, to_target) = stream.split();
            try_join!(inward(&mut incoming, to_target), outward(from_target, &mut outgoing))
        }
        Far::Unix(stream) => {
            let (from_target, to_target) = stream.split();
            try_join!(inward(&mut incoming, to_target), outward(from_target, &mut outgoing))
        }
    };
    match abruptly.and(both.map(|_| ())) {
        Ok(()) => {
            if let Err(error) = SockRef::from(&target).set_linger(None) {
                tracing::debug!(%error, "the end of a tunnel cannot be made gentle");
            }
        }
        Err(error) => {
            tracing::debug!(%error, "a tunnel broke");
            outgoing.send_reset(Reason::CONNECT_ERROR);
        }
    }
}

async fn inward(
    incoming: &mut RecvStream,
    mut to_target: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    while let Some(data) = incoming.data().await {
        let data = data.map_err(broken)?;
        if to_target.write_all(&data).await.is_err() {
            // It may have answered before it closed: its other half says how it ended.
            return Ok(());
        }
        incoming.flow_control().release_capacity(data.len()).map_err(broken)?;
    }
    // One that is closed already says so by its other half, too.
    let _ = to_target.shutdown().await;
    Ok(())
}

async fn outward(
    mut from_target: impl AsyncRead + Unpin,
    outgoing: &mut SendStream<Bytes>,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        let count = tokio::select! {
            biased;
            error = given_up(outgoing) => return Err(error),
            count = from_target.read_buf(&mut buffer) => count?,
        };
        if count == 0 {
            return outgoing.send_data(Bytes::new(), true).map_err(broken);
        }
        send(outgoing, buffer.split().freeze()).await?;
    }
}

/// What is moved at once.
const CHUNK: usize = 64 << 10;
