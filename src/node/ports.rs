//! A port of an instance as something that can be talked to: what is said is sent, what comes back is
//! its output.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::watch,
    time::timeout,
};

use crate::engine::{Ends, OutputStream, Piece};

/// A connection to a port.
#[derive(Debug, Clone)]
pub struct Port {
    all_sent: watch::Receiver<bool>,
}

/// Connects.
pub(super) async fn open(at: SocketAddr) -> io::Result<(Port, Ends)> {
    let connecting = timeout(CONNECT, TcpStream::connect(at)).await;
    let stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let (sent, all_sent) = watch::channel(false);
    let output = stream::try_unfold(read, |mut read| async move {
        let mut buffer = BytesMut::with_capacity(MOST_AT_ONCE);
        let count = read.read_buf(&mut buffer).await?;
        let piece = Piece { stream: OutputStream::Out, bytes: buffer.freeze() };
        Ok((count > 0).then_some((piece, read)))
    });
    let input = Box::pin(Input { write, sent });
    Ok((Port { all_sent }, Ends { input, output: output.boxed() }))
}

impl Port {
    /// Ends when all that was to be sent has been.
    pub(super) async fn ended(&self) {
        // A sender that is gone sends nothing any more.
        self.all_sent.clone().wait_for(|sent| *sent).await.ok();
    }
}

/// The sending half, and who wants to know of its end.
struct Input {
    write: OwnedWriteHalf,
    sent: watch::Sender<bool>,
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.write).poll_shutdown(context);
        if done.is_ready() {
            self.sent.send_replace(true);
        }
        done
    }
}

/// Instances are on this machine.
const CONNECT: Duration = Duration::from_secs(5);
/// The most that is read in one piece, in bytes.
const MOST_AT_ONCE: usize = 32 << 10;
