//! Sockets that accept, and who gets what they accept.
//!
//! All workers accept from one socket per address, so that none is lost when a worker is busy, and
//! a connection goes to the worker with the fewest: the kernel's own choice leaves long-lived
//! connections uneven. It reads nothing. Lack of file descriptors is survived, not fatal.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::arrival::Arrival;
use crate::worker::{Tenancy, Worker};

/// A connection on its way to another worker.
pub(crate) type Incoming = Tenancy<std::net::TcpStream>;

/// Connections the kernel completes before we accept them. It is capped by `somaxconn`.
const BACKLOG: i32 = 4096;
/// How long to wait when there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds one address. Options set here are inherited by every accepted socket (Linux).
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Both families are listed where both are wanted.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until the edge stops, then takes what already waits in the socket: closing it would
/// reset connections whose request is on its way.
pub(crate) async fn accept(listener: tokio::net::TcpListener, worker: Rc<Worker>) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let shared = Arc::clone(&worker.shared);
    loop {
        let place = tokio::select! {
            biased;
            () = shared.stopping.cancelled() => break,
            place = Arc::clone(&shared.places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            biased;
            () = shared.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => assign(&worker, stream, arrival(&worker, peer, port), place),
            Err(error) => survive(&worker, &error).await,
        }
    }
    let waiting = || poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)));
    while let Poll::Ready(Ok((stream, peer))) = waiting().await {
        let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else { break };
        keep(&worker, Tenancy { stream, arrival: arrival(&worker, peer, port), place });
    }
}

fn arrival(worker: &Worker, peer: SocketAddr, local_port: u16) -> Arrival {
    Arrival { peer, local_port, trust: worker.trust(peer.ip()), scheme: "http" }
}

/// Serves what other workers accepted for this one.
pub(crate) async fn receive(mut inbox: mpsc::UnboundedReceiver<Incoming>, worker: Rc<Worker>) {
    while let Some(Tenancy { stream, arrival, place }) = inbox.recv().await {
        match TcpStream::from_std(stream) {
            Ok(stream) => worker.serve(Tenancy { stream, arrival, place }),
            Err(error) => {
                tracing::warn!(%error, "cannot take over a connection");
                release(&worker, worker.index);
            }
        }
    }
}

/// Gives a connection to the worker with the fewest; to this one, if it is no worse.
fn assign(worker: &Rc<Worker>, stream: TcpStream, arrival: Arrival, place: OwnedSemaphorePermit) {
    let desks = &worker.shared.desks;
    let open = |index: usize| desks.get(index).map_or(0, |desk| desk.open.load(Relaxed));
    let fewest = (0..desks.len()).min_by_key(|index| open(*index)).unwrap_or(worker.index);
    if open(fewest) < open(worker.index)
        && let Some(desk) = desks.get(fewest)
    {
        match stream.into_std() {
            Ok(stream) => {
                desk.open.fetch_add(1, Relaxed);
                if desk.inbox.send(Tenancy { stream, arrival, place }).is_err() {
                    release(worker, fewest);
                }
            }
            Err(error) => tracing::warn!(%error, "cannot hand a connection over"),
        }
        return;
    }
    keep(worker, Tenancy { stream, arrival, place });
}

fn keep(worker: &Rc<Worker>, tenancy: Tenancy<TcpStream>) {
    if let Some(desk) = worker.shared.desks.get(worker.index) {
        desk.open.fetch_add(1, Relaxed);
    }
    worker.serve(tenancy);
}

fn release(worker: &Worker, index: usize) {
    if let Some(desk) = worker.shared.desks.get(index) {
        desk.open.fetch_sub(1, Relaxed);
    }
}

/// A connection that died before it was accepted is its own affair; anything else is ours, most
/// likely a lack of file descriptors, and passes when connections close.
async fn survive(worker: &Worker, error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    let before = worker.shared.ledger.accept_faults.fetch_add(1, Relaxed);
    if before.is_multiple_of(LOUD) {
        tracing::warn!(%error, "cannot accept connections");
    }
    tokio::select! {
        biased;
        () = worker.shared.stopping.cancelled() => {}
        () = tokio::time::sleep(PAUSE) => {}
    }
}

/// One log line for this many faults: the log must not fill the disk because descriptors ran out.
const LOUD: u64 = 100;
