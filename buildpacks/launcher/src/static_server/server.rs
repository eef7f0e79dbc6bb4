//! The listener: accepts, bounds, and drains when it is told to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::StaticServerError;
use super::site::Site;

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;
/// A client that has not sent its headers by then is not serious.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long running answers may take when we are told to end.
const DRAIN: Duration = Duration::from_secs(25);

/// Serves `site` at `address` until a signal comes.
pub(super) async fn serve(address: SocketAddr, site: Site) -> Result<(), StaticServerError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StaticServerError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StaticServerError::Runtime)?;
    let listen = |source| StaticServerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            (place, Ok((stream, _))) = accepted => (place, stream),
            // Out of descriptors, or a client that left: the next accept tells.
            else => continue,
        };
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        let connection = builder.serve_connection(TokioIo::new(stream), site.clone());
        let watched = connections.watch(connection);
        tokio::spawn(async move {
            // A client that breaks off is its own affair.
            let _ = watched.await;
            drop(place);
        });
    }
    drop(listener);
    // The time is up for whoever is not done by then.
    let _ = tokio::time::timeout(DRAIN, connections.shutdown()).await;
    Ok(())
}
