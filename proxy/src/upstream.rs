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

use crate::door;
use crate::http2::Pool;
use crate::limits::Limits;
use crate::meter::UpstreamMeter;
use crate::outgoing::Outgoing;
use crate::table::{Protocol, Upstream, UpstreamId};
use crate::wire::Wire;

/// An upstream with a worker's idle connections to it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: UpstreamId,
    pub(crate) address: SocketAddr,
    pub(crate) door: bool,
    pub(crate) meter: Arc<UpstreamMeter>,
    idle: RefCell<Vec<Idle>>,
    /// Connections that streams share, if it speaks h2c.
    h2c: Pool,
    retired: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    wire: Wire<Outgoing>,
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
    pub(crate) wire: Wire<Outgoing>,
    pub(crate) age: Age,
}

impl Link {
    /// Whether the upstream said that it has done nothing with the request.
    pub(crate) fn was_refused(&self) -> bool {
        match &self.wire.stream {
            Outgoing::Tcp(_) => false,
            Outgoing::H2c(stream) => stream.was_refused(),
        }
    }
}

impl Peer {
    pub(crate) fn new(upstream: &Upstream, meter: Arc<UpstreamMeter>) -> Self {
        Self {
            id: upstream.id.clone(),
            address: upstream.reached_at(),
            door: upstream.door.is_some(),
            meter,
            idle: RefCell::default(),
            h2c: Pool::default(),
            retired: Cell::new(false),
        }
    }

    /// Whether connections to an upstream are still made as to this one.
    pub(crate) fn is_at(&self, upstream: &Upstream) -> bool {
        (self.address, self.door) == (upstream.reached_at(), upstream.door.is_some())
    }

    /// A stream on a connection that is open already.
    pub(crate) fn shared_link(&self, limits: &Limits) -> Option<Link> {
        let stream = Outgoing::H2c(Box::new(self.h2c.stream(limits)?));
        Some(Link { wire: wire(stream, limits), age: Age::Reused })
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
    pub(crate) async fn connect(&self, protocol: Protocol, limits: &Limits) -> io::Result<Link> {
        let connected = timeout(limits.connect, self.reach()).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let connected = connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let connected = match (connected, protocol) {
            (Ok(stream), Protocol::H2c) => {
                let stream = self.h2c.open(stream, limits).await;
                stream.map(|stream| Outgoing::H2c(Box::new(stream)))
            }
            (connected, Protocol::Http1) => connected.map(Outgoing::Tcp),
            (Err(error), Protocol::H2c) => Err(error),
        };
        match connected {
            Ok(stream) => Ok(Link { wire: wire(stream, limits), age: Age::New }),
            Err(error) => Err(error),
        }
    }

    async fn reach(&self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        if self.door {
            door::enter(&mut stream).await?;
        }
        Ok(stream)
    }

    /// Takes a connection back after a whole exchange.
    pub(crate) fn put_back(&self, mut wire: Wire<Outgoing>, limits: &Limits) {
        let mut idle = self.idle.borrow_mut();
        let clean = wire.input.is_empty() && wire.output.is_empty();
        let own = matches!(wire.stream, Outgoing::Tcp(_));
        if own && clean && !self.retired.get() && idle.len() < limits.pool {
            wire.rest();
            idle.push(Idle { wire, since: Instant::now() });
        }
    }

    /// Closes what rests here and whatever comes back: the table no longer has this upstream.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        self.idle.borrow_mut().clear();
        self.h2c.retire();
    }

    /// Closes connections that rested too long or that the upstream has closed.
    pub(crate) fn sweep(&self, limits: &Limits) {
        self.h2c.sweep();
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|idle| {
            idle.since.elapsed() < limits.pool_idle && is_quiet(&mut idle.wire.stream)
        });
    }
}

fn wire(stream: Outgoing, limits: &Limits) -> Wire<Outgoing> {
    Wire::new(stream, limits.buffer.max(limits.head))
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
fn is_quiet(stream: &mut Outgoing) -> bool {
    let mut byte = [0];
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
}
