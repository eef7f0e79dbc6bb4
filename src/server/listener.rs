//! Connections of the API: the socket in the data folder, plain TCP on loopback, TLS elsewhere.
//!
//! Every connection has a bound on its head and on the TLS handshake; there is a bound on their
//! number. On shutdown they finish the request under way.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use http_body_util::BodyExt;
use hyper::{body::Incoming as Body, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::server::caller::Transport;

/// Where connections come in.
pub enum Incoming {
    /// The data folder's socket.
    Socket(UnixListener),
    /// Plain TCP, for loopback only.
    Plain(TcpListener),
    /// TCP under TLS.
    Tls(TcpListener, TlsAcceptor),
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Socket(_) => "Incoming::Socket",
            Self::Plain(_) => "Incoming::Plain",
            Self::Tls(..) => "Incoming::Tls",
        })
    }
}

/// Serves one listener until it is told to stop, then lets requests under way end.
pub async fn serve(incoming: Incoming, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&incoming) => accepted,
        };
        let Some(accepted) = accepted else {
            // Out of file descriptors, most likely: they come back when connections end.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            match accepted {
                Accepted::Plain(stream, transport) => {
                    connection(stream, transport, router, stop).await;
                }
                Accepted::Tls(stream, acceptor, peer) => {
                    serve_one((stream, peer), &acceptor, router, stop).await;
                }
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one connection over TLS that somebody else has accepted.
pub async fn serve_one(
    (stream, peer): (tokio::net::TcpStream, SocketAddr),
    acceptor: &TlsAcceptor,
    router: Router,
    stop: CancellationToken,
) {
    let handshake = timeout(HANDSHAKE, acceptor.accept(stream)).await;
    if let Ok(Ok(stream)) = handshake {
        let transport = Transport::Network(peer.ip());
        connection(Box::new(stream), transport, router, stop).await;
    }
}

/// The same over the data folder's socket.
pub async fn serve_near(stream: UnixStream, router: Router, stop: CancellationToken) {
    connection(Box::new(stream), Transport::Socket, router, stop).await;
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

enum Accepted {
    Plain(Box<dyn Stream>, Transport),
    Tls(tokio::net::TcpStream, TlsAcceptor, SocketAddr),
}

async fn accept(incoming: &Incoming) -> Option<Accepted> {
    match incoming {
        Incoming::Socket(listener) => {
            let (stream, _) = listener.accept().await.ok()?;
            Some(Accepted::Plain(Box::new(stream), Transport::Socket))
        }
        Incoming::Plain(listener) => {
            let (stream, peer) = listener.accept().await.ok()?;
            stream.set_nodelay(true).ok();
            Some(Accepted::Plain(Box::new(stream), Transport::Network(peer.ip())))
        }
        Incoming::Tls(listener, acceptor) => {
            let (stream, peer) = listener.accept().await.ok()?;
            stream.set_nodelay(true).ok();
            Some(Accepted::Tls(stream, acceptor.clone(), peer))
        }
    }
}

async fn connection(
    stream: Box<dyn Stream>,
    transport: Transport,
    router: Router,
    stop: CancellationToken,
) {
    let begun = CancellationToken::new();
    let begins = begun.clone();
    let service = service_fn(move |mut request: hyper::Request<Body>| {
        begins.cancel();
        request.extensions_mut().insert(transport);
        let router = router.clone();
        async move {
            let request = request.map(|body| axum::body::Body::new(body.map_err(axum::Error::new)));
            tower_service::Service::call(&mut router.clone(), request).await
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => log(result),
        () = stop.cancelled() => {
            // The first request of a connection may be on its way, and would be cut off unanswered.
            tokio::select! {
                result = connection.as_mut() => return log(result),
                _ = timeout(ON_ITS_WAY, begun.cancelled()) => {}
            }
            connection.as_mut().graceful_shutdown();
            log(connection.await);
        }
    }
}

fn log(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "an API connection broke");
    }
}

/// Connections at the same time, per listener; more wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// For the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a request's head, which is small.
const HEAD: Duration = Duration::from_secs(15);
/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For the first request of a connection when the server ends; who has said nothing by then is not
/// about to.
const ON_ITS_WAY: Duration = Duration::from_millis(500);
