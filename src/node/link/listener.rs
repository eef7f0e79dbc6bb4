//! Where links come in: TCP, then TLS with both certificates, then HTTP/2.
//!
//! Until its handshake is over a caller is a stranger, and has a place in a crowd that newcomers win;
//! see [`Crowd`]. What a peer then asks is `serving`'s.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    Admitted, Credentials, Handler, Peer,
    crowd::Crowd,
    heard::{Heard, Last},
    peer::NoPeer,
    serving::Serving,
    wire,
};
use crate::{model::NodeName, telemetry::chain};

/// Where links come in.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A connection whose other side has shown who it is.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) peer: Peer,
    pub(super) connection: h2::server::Connection<Heard<TlsStream<TcpStream>>, Bytes>,
    pub(super) heard: Last,
}

/// Why nobody arrived.
#[derive(Debug, thiserror::Error)]
enum Missed {
    /// The TLS handshake failed.
    #[error("TLS failed")]
    Tls(#[source] io::Error),
    /// TLS says nothing of a node.
    #[error("it is no node")]
    Stranger(#[source] NoPeer),
    /// It does not begin as HTTP/2 does.
    #[error("HTTP/2 failed")]
    Http(#[source] h2::Error),
    /// It took too long.
    #[error("it did not finish the handshake in time")]
    Slow,
    /// Too many others came.
    #[error("it was slower than a crowd of others")]
    CrowdedOut,
}

impl Listener {
    /// Takes the address; it serves nobody yet.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves whom `admitted` admits until it is told to stop; then what is under way may end, for a
    /// while.
    pub async fn serve<H: Handler>(
        self,
        credentials: Credentials,
        admitted: watch::Receiver<Arc<Admitted>>,
        handler: Arc<H>,
        stop: CancellationToken,
    ) {
        let strangers = Crowd::new(STRANGERS, STRANGERS_EACH);
        let peers: Arc<Crowd<NodeName>> = Crowd::new(CONNECTIONS, CONNECTIONS_EACH);
        let mut arrivals = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = arrivals.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                // Out of file descriptors, most likely: they come back when connections end.
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let place = strangers.enter(neighbourhood(address.ip()));
            let credentials = credentials.clone();
            let (admitted, handler) = (admitted.clone(), handler.clone());
            let (peers, stop) = (peers.clone(), stop.clone());
            arrivals.spawn(async move {
                let arrived = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = place.lost() => Err(Missed::CrowdedOut),
                    met = timeout(HANDSHAKE, meet(stream, address, &credentials)) => {
                        met.unwrap_or(Err(Missed::Slow))
                    }
                };
                drop(place);
                match arrived {
                    Ok(arrived) => {
                        let place = peers.enter(arrived.peer.name.clone());
                        Serving { admitted, handler, credentials, place }.run(arrived, stop).await;
                    }
                    Err(error) => {
                        tracing::debug!(%address, error = %chain(&error), "no link came about");
                    }
                }
            });
        }
        drop(self.listener);
        while arrivals.join_next().await.is_some() {}
    }
}

/// Both handshakes.
async fn meet(
    stream: TcpStream,
    address: SocketAddr,
    credentials: &Credentials,
) -> Result<Arrived, Missed> {
    stream.set_nodelay(true).map_err(Missed::Tls)?;
    let acceptor = TlsAcceptor::from(credentials.borrow().server());
    let stream = acceptor.accept(stream).await.map_err(Missed::Tls)?;
    let peer = Peer::of(stream.get_ref().1, address).map_err(Missed::Stranger)?;
    let (stream, heard) = Heard::new(stream);
    let connection = wire::serving().handshake(stream).await.map_err(Missed::Http)?;
    Ok(Arrived { peer, connection, heard })
}

/// Whom an address counts as: who has one address of IPv6 has a whole network of them.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
    }
}

/// Callers that have not shown who they are.
const STRANGERS: usize = 256;
/// Of one network.
const STRANGERS_EACH: usize = 64;
/// Connections of all peers.
const CONNECTIONS: usize = 1024;
/// Of one. It needs one or two; others are of a past that has not been noticed yet.
const CONNECTIONS_EACH: usize = 8;
/// For both handshakes.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The part of an address of IPv6 that names a network.
const NETWORK: u128 = !(u64::MAX as u128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_neighbour() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let found = neighbourhood(address.parse().unwrap());
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
