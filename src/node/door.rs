//! A door on this machine to something on another: a port of a loopback address, behind which the bytes
//! go through a tunnel of a link. It says so when the way is through ([`proxy::door`]).
//!
//! A door that is dropped lets nobody in any more, and whoever is inside goes on. Invariant: where a door was
//! there is none to anybody else for a long time, since somebody may still go by an old table.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use proxy::door;
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::passage::Passage;
use crate::model::ContainerId;

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

/// What is behind a door.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    /// Whose it is.
    pub(super) instance: ContainerId,
    /// What the far side knows it by.
    pub(super) target: String,
}

/// What all doors of one kind share: who is inside, when they are cut, and which address is the next one's.
#[derive(Debug, Clone)]
pub(super) struct Hall {
    inside: TaskTracker,
    stop: CancellationToken,
    opened: Arc<AtomicU32>,
}

impl Hall {
    /// Nobody is inside yet; those who are will be cut when `stop` says so.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { inside: TaskTracker::new(), stop, opened: Arc::default() }
    }

    /// Opens a door to what is behind a passage, at a port that nothing else on this machine listens at.
    pub(super) async fn open(&self, passage: Passage, behind: Behind) -> io::Result<Door> {
        let turn = self.opened.fetch_add(1, Relaxed) % ADDRESSES;
        let address = Ipv4Addr::from_bits(FIRST.to_bits() + turn);
        let listener = TcpListener::bind(SocketAddr::from((address, 0))).await?;
        let address = listener.local_addr()?;
        let closed = self.stop.child_token();
        self.inside.spawn(self.clone().attend(listener, closed.clone(), passage, behind));
        Ok(Door { address, closed })
    }

    async fn attend(
        self,
        listener: TcpListener,
        until: CancellationToken,
        passage: Passage,
        behind: Behind,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = until.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((visitor, _)) => {
                    let (passage, behind) = (passage.clone(), behind.clone());
                    let stop = self.stop.clone();
                    self.inside.spawn(async move {
                        tokio::select! {
                            biased;
                            () = stop.cancelled() => {}
                            () = pass(visitor, &passage, &behind) => {}
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
async fn pass(mut visitor: TcpStream, passage: &Passage, Behind { instance, target }: &Behind) {
    let _ = visitor.set_nodelay(true);
    let opened = timeout(OPENS, passage.tunnel(instance, target)).await;
    match opened {
        Ok(Ok(mut tunnel)) => {
            if door::let_in(&mut visitor).await.is_err() {
                return;
            }
            // How it ended, both sides know by themselves.
            let _ = copy_bidirectional_with_sizes(&mut visitor, &mut tunnel, PIECE, PIECE).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(%instance, %error, "an instance cannot be reached");
        }
        Err(_) => {
            tracing::debug!(%instance, "nothing is heard from behind a door");
        }
    }
}

/// All of them are this machine's own, by RFC 1122 section 3.2.1.3.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 96, 0, 0);
/// So many are used in turn.
const ADDRESSES: u32 = 1 << 20;
/// For the far side to say that the way is through, or is not: long enough for the other end of the world,
/// and then whoever stands at the door tries another.
const OPENS: Duration = Duration::from_secs(2);
/// Taken at once.
const PIECE: usize = 64 << 10;
/// When nobody could be let in, for want of file descriptors for example.
const AFTER_FAULT: Duration = Duration::from_millis(100);
