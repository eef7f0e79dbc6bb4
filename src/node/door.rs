//! A door on this machine to something on another: a port of a loopback address, behind which the bytes
//! go through a tunnel of the link. It says so when the way is through ([`proxy::door`]).
//!
//! A door that is dropped lets nobody in any more, and whoever is inside goes on.

use std::{io, net::SocketAddr, time::Duration};

use proxy::door;
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::link::Link;

/// The door.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    closed: CancellationToken,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// What all doors of one kind share: who is inside, and when they are cut.
#[derive(Debug, Clone)]
pub(super) struct Hall {
    inside: TaskTracker,
    stop: CancellationToken,
}

impl Hall {
    /// Nobody is inside yet; those who are will be cut when `stop` says so.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { inside: TaskTracker::new(), stop }
    }

    /// Opens a door at `at`, to what the far side of the link knows by `target`.
    pub(super) async fn open(
        &self,
        at: SocketAddr,
        link: Link,
        target: String,
    ) -> io::Result<Door> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let closed = self.stop.child_token();
        self.inside.spawn(self.clone().attend(listener, closed.clone(), (link, target)));
        Ok(Door { address, closed })
    }

    async fn attend(
        self,
        listener: TcpListener,
        until: CancellationToken,
        (link, target): (Link, String),
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = until.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((visitor, _)) => {
                    let (link, target, stop) = (link.clone(), target.clone(), self.stop.clone());
                    self.inside.spawn(async move {
                        tokio::select! {
                            biased;
                            () = stop.cancelled() => {}
                            () = pass(visitor, &link, &target) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a door to another machine lets nobody in");
                    sleep(AFTER_FAULT).await;
                }
            }
        }
    }
}

impl Door {
    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Takes bytes both ways until both sides have ended. A visitor for whom there is no tunnel is turned
/// away without a word.
async fn pass(mut visitor: TcpStream, link: &Link, target: &str) {
    let _ = visitor.set_nodelay(true);
    let opened = timeout(OPENS, link.tunnel(target)).await;
    match opened {
        Ok(Ok(mut tunnel)) => {
            if door::let_in(&mut visitor).await.is_err() {
                return;
            }
            // How it ended, both sides know by themselves.
            let _ = copy_bidirectional_with_sizes(&mut visitor, &mut tunnel, PIECE, PIECE).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(instance = target, %error, "an instance cannot be reached");
        }
        Err(_) => {
            tracing::debug!(instance = target, "nothing is heard from behind a door");
        }
    }
}

/// For the far side to say that the way is through, or is not: long enough for the other end of the world,
/// and then whoever stands at the door tries another.
const OPENS: Duration = Duration::from_secs(2);
/// Taken at once.
const PIECE: usize = 64 << 10;
/// When nobody could be let in, for want of file descriptors for example.
const AFTER_FAULT: Duration = Duration::from_millis(100);
