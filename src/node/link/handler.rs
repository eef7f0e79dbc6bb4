//! What a listener does with what it is asked.

use std::{
    future::Future,
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use hyper::{Request, Response, StatusCode};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{Body, Peer, empty, full};

/// Answers what peers ask. It is asked many things at once; what it returns is dropped when the peer
/// gives up, or is lost.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request.
    fn call(
        &self,
        peer: &Peer,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send;

    /// Connects to what a tunnel is to lead to.
    fn tunnel(
        &self,
        peer: &Peer,
        target: &str,
    ) -> impl Future<Output = Result<Far, Refused>> + Send;
}

/// What a tunnel leads to.
#[derive(Debug)]
pub enum Far {
    /// An instance, a door to one, or a server of the daemon's.
    Tcp(TcpStream),
    /// A socket in this machine's file system.
    Unix(UnixStream),
}

impl From<TcpStream> for Far {
    fn from(stream: TcpStream) -> Self {
        // Small answers must not wait for the acknowledgement of others.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Far {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl AsFd for Far {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

/// Why there is no tunnel; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({})", .status.as_u16())]
pub struct Refused {
    /// What kind of refusal it is.
    pub status: StatusCode,
    /// Why, in a few words.
    pub text: String,
}

impl Refused {
    /// Nobody has that name here.
    pub fn nobody(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    /// Somebody has, and cannot be reached.
    pub fn unreachable(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, text: text.into() }
    }

    /// It took too long to find out.
    pub(super) fn slow() -> Self {
        let text = "what the tunnel leads to was not reached in time".to_owned();
        Self { status: StatusCode::GATEWAY_TIMEOUT, text }
    }
}

/// What a tunnel leads to, once it is connected, which may take a while.
pub async fn reached<S: Into<Far>>(
    connecting: impl Future<Output = io::Result<S>>,
) -> Result<Far, Refused> {
    match timeout(CONNECT, connecting).await {
        Ok(Ok(stream)) => Ok(stream.into()),
        Ok(Err(error)) => Err(Refused::unreachable(error.to_string())),
        Err(_) => Err(Refused::unreachable("the instance does not answer")),
    }
}

/// An answer that says no, and in a few words why.
pub fn refusal(status: StatusCode, text: &str) -> Response<Body> {
    let body = if text.is_empty() { empty() } else { full(text.to_owned()) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// For an instance to accept.
const CONNECT: Duration = Duration::from_secs(5);
