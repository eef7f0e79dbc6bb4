//! One upstream as one worker sees it: its address, its shared figures, its own idle connections.
//!
//! It does not choose and does not retry. The invariant: a connection rests here only if the next
//! byte on it would begin a response to a request that has not been sent yet.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::meter::UpstreamMeter;
use crate::table::UpstreamId;
use crate::wire::Wire;

/// An upstream with a worker's idle connections to it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: UpstreamId,
    pub(crate) address: SocketAddr,
    pub(crate) meter: Arc<UpstreamMeter>,
    idle: RefCell<Vec<Idle>>,
    retired: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    wire: Wire<TcpStream>,
    since: Instant,
}

/// Whether a connection has carried a request before: if it dies at once, that is why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    New,
    Reused,
}

/// A connection for one exchange.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) wire: Wire<TcpStream>,
    pub(crate) age: Age,
}

impl Peer {
    pub(crate) fn new(id: UpstreamId, address: SocketAddr, meter: Arc<UpstreamMeter>) -> Self {
        Self { id, address, meter, idle: RefCell::default(), retired: Cell::new(false) }
    }

    /// The most recently used idle connection that is still good and no older than `oldest`.
    pub(crate) fn idle_link(&self, oldest: Duration) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut last) = idle.pop() {
            if last.since.elapsed() > oldest {
                idle.push(last);
                return None; // The others are older still.
            }
            if is_quiet(&mut last.wire.stream) {
                return Some(Link { wire: last.wire, age: Age::Reused });
            }
        }
        None
    }

    /// A new connection.
    pub(crate) async fn connect(&self, limits: &Limits) -> io::Result<Link> {
        let connected = timeout(limits.connect, TcpStream::connect(self.address)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                Ok(Link { wire: Wire::new(stream, limits.buffer.max(limits.head)), age: Age::New })
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a connection back after a whole exchange.
    pub(crate) fn put_back(&self, mut wire: Wire<TcpStream>, limits: &Limits) {
        let mut idle = self.idle.borrow_mut();
        let clean = wire.input.is_empty() && wire.output.is_empty();
        if clean && !self.retired.get() && idle.len() < limits.pool {
            wire.rest();
            idle.push(Idle { wire, since: Instant::now() });
        }
    }

    /// Closes what rests here and whatever comes back: the table no longer has this upstream.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        self.idle.borrow_mut().clear();
    }

    /// Closes connections that rested too long or that the upstream has closed.
    pub(crate) fn sweep(&self, limits: &Limits) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|idle| {
            idle.since.elapsed() < limits.pool_idle && is_quiet(&mut idle.wire.stream)
        });
    }
}

/// Whether a connect failure says something about the upstream. Lack of file descriptors or ports
/// is ours, and leaving upstreams out for it would turn a shortage into an outage.
pub(crate) fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
        TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | TimedOut
    )
}

/// Whether an idle connection is open and silent, as far as can be known without waiting.
fn is_quiet(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
}
