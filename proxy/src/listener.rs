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

use crate::arrival::{Arrival, Trust};
use crate::edge::BindError;
use crate::place::{Door, Place, Tenancy};
use crate::settings::{Listen, Preface};
use crate::worker::Worker;

/// A connection on its way to another worker.
pub(crate) type Incoming = Tenancy<std::net::TcpStream>;

/// Connections the kernel completes before we accept them. It is capped by `somaxconn`.
const BACKLOG: i32 = 4096;
/// How long to wait when there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket for each address: the one that was inherited, or a new one.
pub(crate) fn bind_all(
    listeners: &[Listen],
    mut inherited: Vec<TcpListener>,
) -> Result<Vec<TcpListener>, BindError> {
    let mut one = |listen: &Listen| {
        let address = listen.address;
        let fits =
            |own: SocketAddr| own == address || address.port() == 0 && own.ip() == address.ip();
        let same = |socket: &TcpListener| socket.local_addr().is_ok_and(fits);
        let socket = match inherited.iter().position(same) {
            Some(index) => {
                let socket = inherited.swap_remove(index);
                socket.set_nonblocking(true).map(|()| socket)
            }
            None => bind(address),
        };
        socket.map_err(|source| BindError::Listen { address, source })
    };
    listeners.iter().map(&mut one).collect()
}

/// Binds one address. Options set here are inherited by every accepted socket (Linux).
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
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
/// reset connections whose request is on its way. If there is a successor, it has the same socket
/// and all that waits in it.
pub(crate) async fn accept(listener: tokio::net::TcpListener, door: Door, worker: Rc<Worker>) {
    let shared = Arc::clone(&worker.shared);
    tokio::select! {
        biased;
        () = shared.open.cancelled() => {}
        // It never was open, so what waits in the socket is not its own.
        () = shared.retiring.cancelled() => return,
    }
    loop {
        let permit = tokio::select! {
            biased;
            () = shared.retiring.cancelled() => break,
            permit = Arc::clone(&shared.places).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            biased;
            () = shared.retiring.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                assign(&worker, stream, arrival(&worker, peer, door), door, permit);
            }
            Err(error) => survive(&worker, &error).await,
        }
    }
    if !shared.stopping.is_cancelled() {
        return;
    }
    let waiting = || poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)));
    while let Poll::Ready(Ok((stream, peer))) = waiting().await {
        let Ok(permit) = Arc::clone(&shared.places).try_acquire_owned() else { break };
        let place = Place::take(&shared, worker.index, permit);
        let arrival = arrival(&worker, peer, door);
        worker.serve(Tenancy { stream, arrival, door, place });
    }
}

fn arrival(worker: &Worker, peer: SocketAddr, door: Door) -> Arrival {
    let trust = worker.trust(peer.ip());
    Arrival::plain(peer, door.port, trust)
}

/// Serves what other workers accepted for this one.
pub(crate) async fn receive(mut inbox: mpsc::UnboundedReceiver<Incoming>, worker: Rc<Worker>) {
    while let Some(Tenancy { stream, arrival, door, place }) = inbox.recv().await {
        match TcpStream::from_std(stream) {
            Ok(stream) => worker.serve(Tenancy { stream, arrival, door, place }),
            Err(error) => tracing::warn!(%error, "cannot take over a connection"),
        }
    }
}

/// Gives a connection to the worker with the fewest; to this one, if it is no worse. Who may not
/// come in at all is turned away here, before it costs anything.
fn assign(
    worker: &Rc<Worker>,
    stream: TcpStream,
    arrival: Arrival,
    door: Door,
    permit: OwnedSemaphorePermit,
) {
    let shared = &worker.shared;
    if door.preface == Preface::ProxyProtocol && arrival.trust == Trust::Stranger {
        shared.ledger.prefaces_refused.fetch_add(1, Relaxed);
        return;
    }
    let open = |index: usize| shared.desks.get(index).map_or(0, |desk| desk.open.load(Relaxed));
    let fewest = (0..shared.desks.len()).min_by_key(|index| open(*index)).unwrap_or(worker.index);
    let elsewhere = open(fewest) < open(worker.index);
    let index = if elsewhere { fewest } else { worker.index };
    let mut place = Place::take(shared, index, permit);
    if !place.seat(arrival.peer.ip(), arrival.trust) {
        return;
    }
    match shared.desks.get(index) {
        Some(desk) if elsewhere => match stream.into_std() {
            Ok(stream) => {
                // If that worker is gone, so is the edge: the connection ends here.
                let _ = desk.inbox.send(Tenancy { stream, arrival, door, place });
            }
            Err(error) => tracing::warn!(%error, "cannot hand a connection over"),
        },
        _ => worker.serve(Tenancy { stream, arrival, door, place }),
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
        () = worker.shared.retiring.cancelled() => {}
        () = tokio::time::sleep(PAUSE) => {}
    }
}

/// One log line for this many faults: the log must not fill the disk because descriptors ran out.
const LOUD: u64 = 100;
