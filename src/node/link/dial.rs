//! Making one connection: TCP, TLS, HTTP/2, and a first question, because only its answer tells whether
//! the other side takes us.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use h2::client::SendRequest;
use hyper::{Request, StatusCode, Uri};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::{
    Identity, Peer,
    caller::text,
    heard::{Heard, silence},
    keeper::Target,
    peer::NoPeer,
    wire,
};
use crate::model::NodeName;

/// What takes requests for a connection.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) requests: SendRequest<Bytes>,
    /// Who takes them.
    pub(super) peer: NodeName,
    /// Told by whoever finds that it takes no more.
    pub(super) spent: CancellationToken,
}

/// A connection over which the other side has answered.
pub(super) struct Dialled {
    /// What takes requests.
    pub(super) line: Line,
    /// Which version of paas answered.
    pub(super) version: Option<String>,
    /// The connection itself; it must be polled, and ends with the reason of its end.
    pub(super) connection: BoxFuture<'static, Lost>,
}

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// The other side closed it.
    #[error("it closed the connection")]
    Closed,
    /// It broke.
    #[error("the connection broke")]
    Broken(#[source] h2::Error),
    /// Nothing was heard although it was asked.
    #[error("it gives no sign of life")]
    Silent,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLink {
    /// TCP.
    #[error("no connection to {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// TLS.
    #[error("no TLS with {address}")]
    Tls {
        /// Where.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// The node's name is none of DNS.
    #[error("its name cannot be asked for")]
    Name(#[from] InvalidDnsNameError),
    /// Somebody else listens there.
    #[error("whoever listens at {address} is not the node")]
    Stranger {
        /// Where.
        address: SocketAddr,
        /// What gives it away.
        #[source]
        source: NoPeer,
    },
    /// HTTP/2, or the first question.
    #[error("no answer from {address}")]
    Http {
        /// Where.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: h2::Error,
    },
    /// The connection ended before the first answer.
    #[error("no answer from {address}")]
    Lost {
        /// Where.
        address: SocketAddr,
        /// How.
        #[source]
        source: Lost,
    },
    /// It does not take us.
    #[error("it refused: {text} ({})", .status.as_u16())]
    Unwelcome {
        /// By which status.
        status: StatusCode,
        /// Why.
        text: String,
    },
    /// It took too long.
    #[error("{address} does not answer in time")]
    Slow {
        /// Where.
        address: SocketAddr,
    },
}

/// Connects to a node, which must be it.
pub(super) async fn dial(target: &Target, identity: &Identity) -> Result<Dialled, NoLink> {
    let Target { name: node, at: address } = target.clone();
    let name = ServerName::try_from(node.in_certificate())?;
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|source| NoLink::Connect { address, source })?;
    let tls = |source| NoLink::Tls { address, source };
    stream.set_nodelay(true).map_err(tls)?;
    let stream = TlsConnector::from(identity.client()).connect(name, stream).await.map_err(tls)?;
    let stranger = |source| NoLink::Stranger { address, source };
    let peer = Peer::of(stream.get_ref().1, address).map_err(stranger)?;
    if peer.name != node {
        return Err(stranger(NoPeer::Name(peer.name.in_certificate())));
    }
    let (stream, heard) = Heard::new(stream);
    let http = |source| NoLink::Http { address, source };
    let (requests, mut connection) = wire::calling().handshake(stream).await.map_err(http)?;
    let pings = connection.ping_pong();
    let mut connection = async move {
        let Some(pings) = pings else { return Lost::Closed };
        tokio::select! {
            ended = connection => ended.map_or_else(Lost::Broken, |()| Lost::Closed),
            () = silence(pings, heard) => Lost::Silent,
        }
    }
    .boxed();
    let (requests, version) = tokio::select! {
        biased;
        greeted = greet(requests, (address, identity)) => greeted?,
        source = &mut connection => return Err(NoLink::Lost { address, source }),
    };
    let line = Line { requests, peer: node, spent: CancellationToken::new() };
    Ok(Dialled { line, version, connection })
}

/// Asks the first question.
async fn greet(
    requests: SendRequest<Bytes>,
    (address, identity): (SocketAddr, &Identity),
) -> Result<(SendRequest<Bytes>, Option<String>), NoLink> {
    let http = |source| NoLink::Http { address, source };
    let mut requests = requests.ready().await.map_err(http)?;
    let mut hello = Request::new(());
    *hello.method_mut() = wire::hello();
    *hello.uri_mut() = Uri::from_static("https://node.paas.internal/");
    wire::introduce(hello.headers_mut(), identity.leads());
    let (answer, _) = requests.send_request(hello, true).map_err(http)?;
    let answer = answer.await.map_err(http)?;
    let (status, version) = (answer.status(), wire::version(answer.headers()));
    if status.is_success() {
        return Ok((requests, version));
    }
    Err(NoLink::Unwelcome { status, text: text(answer.into_body()).await })
}
