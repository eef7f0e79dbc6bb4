//! Opens a connection to a server. TLS is set up only where it is used: it takes longer than the
//! whole of most commands.

use std::{io, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    patient::Patient,
    pin::{self, Fingerprint, Pinned},
    tls::shake_hands,
};
use crate::{
    failure::Failure,
    target::{Address, HostPort, Server},
};

/// A connection of whichever kind.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// Nobody is there.
    Away(Failure),
    /// Whoever is there is not believed, or there is no way to tell.
    Unproven(Failure),
}

impl From<Unconnected> for Failure {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::Away(failure) | Unconnected::Unproven(failure) => failure,
        }
    }
}

/// How long somebody is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// To be there.
    reach: Duration,
    /// To prove who it is.
    prove: Duration,
}

impl Limits {
    /// Longer than any healthy way to a server takes, name resolution included.
    pub(super) const ALONE: Self =
        Self { reach: Duration::from_secs(10), prove: Duration::from_secs(10) };
    /// Where others can be asked one that is not there is soon given up. One that is may have to wait itself, until the
    /// machines that keep the records have elected who leads.
    pub(super) const AMONG_OTHERS: Self =
        Self { reach: Duration::from_secs(3), prove: Duration::from_secs(20) };
}

/// Opens a connection.
pub(super) async fn connect(
    server: &Server,
    limits: Limits,
) -> Result<Patient<Box<dyn Io>>, Unconnected> {
    let away = |error: &io::Error| Unconnected::Away(unreachable(&server.address, error));
    let io: Box<dyn Io> = match &server.address {
        Address::Unix(path) => {
            let connecting = in_time(limits.reach, UnixStream::connect(path)).await;
            Box::new(connecting.map_err(|error| away(&error))?)
        }
        Address::Http(at) => {
            Box::new(tcp(&server.address, at, limits).await.map_err(Unconnected::Away)?)
        }
        Address::Https(at) => {
            let unpinned = || Unconnected::Unproven(unpinned(&server.address));
            let pin = server.pin.ok_or_else(unpinned)?;
            Box::new(tls(&server.address, at, pin, limits).await?)
        }
    };
    Ok(Patient(io))
}

/// The fingerprint of the authority that the server presents. Nothing is sent to it, for it has
/// not proved anything yet.
pub(crate) async fn presented(address: &Address) -> Result<Option<Fingerprint>, Failure> {
    let Address::Https(at) = address else { return Ok(None) };
    let limits = Limits::ALONE;
    let stream = tcp(address, at, limits).await?;
    let pinned = Arc::new(Pinned::new(None));
    // The handshake is made to fail: nobody has said yet which authority is the right one.
    let outcome = handshake(at, stream, Arc::clone(&pinned), limits).await.err();
    match (pinned.presented(), outcome) {
        (Some(fingerprint), _) => Ok(Some(fingerprint)),
        (None, outcome) => {
            let error = outcome.unwrap_or_else(|| io::Error::other("it presents no certificate"));
            Err(unreachable(address, &error))
        }
    }
}

/// What another client needs to believe a server as we do.
#[derive(Debug)]
pub(crate) struct Authority {
    /// The certificate of the pinned authority.
    pub(crate) certificate: Vec<u8>,
    /// Whether the server's own certificate is for the name that it is reached by.
    pub(crate) proves_name: bool,
}

/// The authority that is pinned for a server, as the server presents it.
pub(crate) async fn authority(
    address: &Address,
    at: &HostPort,
    pin: Option<Fingerprint>,
) -> Result<Authority, Failure> {
    let pin = pin.ok_or_else(|| unpinned(address))?;
    let stream = tls(address, at, pin, Limits::ALONE).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let proof = pin::proof(chain, pin, &at.host);
    let (certificate, proves_name) = proof
        .ok_or_else(|| Failure::unreachable(format!("{address} did not present its authority")))?;
    Ok(Authority { certificate, proves_name })
}

/// What the `Host` header says.
pub(super) fn host_header(address: &Address) -> String {
    match address {
        Address::Unix(_) => "localhost".to_owned(),
        Address::Http(at) | Address::Https(at) => at.to_string(),
    }
}

async fn tcp(address: &Address, at: &HostPort, limits: Limits) -> Result<TcpStream, Failure> {
    let connecting = TcpStream::connect((at.host.as_str(), at.port));
    let connecting = in_time(limits.reach, connecting).await;
    let stream = connecting.map_err(|error| unreachable(address, &error))?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    // Both only make things better where the kernel grants them.
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).ok();
    stream.set_nodelay(true).ok();
    Ok(stream)
}

async fn tls(
    address: &Address,
    at: &HostPort,
    pin: Fingerprint,
    limits: Limits,
) -> Result<TlsStream<TcpStream>, Unconnected> {
    let stream = tcp(address, at, limits).await.map_err(Unconnected::Away)?;
    let pinned = Arc::new(Pinned::new(Some(pin)));
    let unproven = || Failure::unreachable(format!("{address} did not prove who it is"));
    let shaken = handshake(at, stream, Arc::clone(&pinned), limits).await;
    shaken.map_err(|error| match pinned.presented() {
        Some(other) if other != pin => Unconnected::Unproven(stranger(address, pin, other)),
        Some(_) => Unconnected::Unproven(unproven().because(error)),
        // It has shown nothing yet.
        None => Unconnected::Away(unproven().because(error)),
    })
}

async fn handshake(
    at: &HostPort,
    stream: TcpStream,
    pinned: Arc<Pinned>,
    limits: Limits,
) -> io::Result<TlsStream<TcpStream>> {
    in_time(limits.prove, shake_hands(&at.host, stream, pinned)).await
}

async fn in_time<T>(
    limit: Duration,
    connecting: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let expired = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    timeout(limit, connecting).await.map_err(expired)?
}

fn unreachable(address: &Address, error: &io::Error) -> Failure {
    let advice = match address {
        Address::Unix(_) | Address::Http(_) => {
            "is the daemon running? `systemctl status paas`, or start it: `sudo paas server`"
        }
        Address::Https(_) => {
            "check address and firewall; on the server: `systemctl status paas`; another server: \
             `--context NAME`"
        }
    };
    Failure::unreachable(format!("cannot reach the server at {address}"))
        .because(error)
        .hint(advice)
}

fn stranger(address: &Address, pin: Fingerprint, other: Fingerprint) -> Failure {
    Failure::unreachable(format!("{address} is not the server you logged in to"))
        .because(format!("its authority is {other}, not {pin}; somebody may be in between"))
        .hint(format!("only if you set the server up anew: `paas login {address}`"))
}

fn unpinned(address: &Address) -> Failure {
    Failure::local(format!("{address} cannot be trusted yet"))
        .because("no fingerprint is known for it")
        .hint(format!("`paas login {address}`, or set PAAS_FINGERPRINT"))
}

const KEEPALIVE: Duration = Duration::from_secs(15);
