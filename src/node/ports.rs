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
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use super::link::{Link, LinkError};
use crate::{
    engine::{Ends, OutputStream, Piece},
    model::ContainerId,
};

/// A connection to a port.
#[derive(Debug, Clone)]
pub struct Port {
    all_sent: watch::Receiver<bool>,
}

/// Connects to one of this machine.
pub(super) async fn open(at: SocketAddr) -> io::Result<(Port, Ends)> {
    let connecting = timeout(CONNECT, TcpStream::connect(at)).await;
    let stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    Ok(of(read, write))
}

/// Connects to one of an instance at the other end of a link, which gives up by itself.
pub(super) async fn open_there(
    link: &Link,
    id: &ContainerId,
    port: u16,
) -> Result<(Port, Ends), LinkError> {
    let tunnel = link.tunnel(&format!("{}:{port}", id.0)).await?;
    let (read, write) = tokio::io::split(tunnel);
    Ok(of(read, write))
}

/// A connection by its two halves.
fn of(
    read: impl AsyncRead + Send + Unpin + 'static,
    write: impl AsyncWrite + Send + Unpin + 'static,
) -> (Port, Ends) {
    let (sent, all_sent) = watch::channel(false);
    let output = stream::try_unfold(read, |mut read| async move {
        let mut buffer = BytesMut::with_capacity(MOST_AT_ONCE);
        let count = read.read_buf(&mut buffer).await?;
        let piece = Piece { stream: OutputStream::Out, bytes: buffer.freeze() };
        Ok((count > 0).then_some((piece, read)))
    });
    let input = Box::pin(Input { write, sent });
    (Port { all_sent }, Ends { input, output: output.boxed() })
}

impl Port {
    /// Ends when all that was to be sent has been.
    pub(super) async fn ended(&self) {
        // A sender that is gone sends nothing any more.
        self.all_sent.clone().wait_for(|sent| *sent).await.ok();
    }
}

/// The sending half, and who wants to know of its end.
struct Input<W> {
    write: W,
    sent: watch::Sender<bool>,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Input<W> {
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

/// These instances are on this machine.
const CONNECT: Duration = Duration::from_secs(5);
/// The most that is read in one piece, in bytes.
const MOST_AT_ONCE: usize = 32 << 10;
