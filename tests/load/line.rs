//! One connection to the edge, and a request on it: a strict client, to which everything but a
//! whole `200` is a fault that says what happened.
//!
//! It never retries and never reconnects; whoever uses it decides what a fault means.

use std::{fmt, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// A connection that is kept open.
#[derive(Debug)]
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// What to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) path: String,
    /// What is sent; without it the request is a GET, with it a POST, which nobody may send twice.
    pub(crate) body: Option<String>,
}

/// Why there is no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens.
    Refused,
    /// The connection broke before the answer was complete.
    Broken(String),
    /// The answer is not `200`.
    Status(u16, String),
    /// Nothing came in time.
    Silent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
            Self::Status(status, body) => write!(f, "answer {status}: {body}"),
            Self::Silent => write!(f, "no answer within {PATIENCE:?}"),
        }
    }
}

impl Line {
    /// Connects to the edge; requests are for `host`.
    pub(crate) async fn open(edge: SocketAddr, host: &str) -> Result<Self, Fault> {
        let stream = match timeout(PATIENCE, TcpStream::connect(edge)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(Fault::Refused);
            }
            Ok(Err(error)) => return Err(Fault::Broken(error.to_string())),
            Err(_) => return Err(Fault::Silent),
        };
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        // What goes wrong on the connection shows in the request that is under way.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender, host: host.to_owned() })
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&mut self, question: &Question) -> Result<String, Fault> {
        timeout(PATIENCE, self.exchange(question)).await.unwrap_or(Err(Fault::Silent))
    }

    async fn exchange(&mut self, question: &Question) -> Result<String, Fault> {
        let method = if question.body.is_some() { "POST" } else { "GET" };
        let body = Full::new(Bytes::from(question.body.clone().unwrap_or_default()));
        let request = Request::builder()
            .method(method)
            .uri(&question.path)
            .header("host", &self.host)
            .body(body)
            .unwrap();
        self.sender.ready().await.map_err(|error| broken(&error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        if status == 200 { Ok(body) } else { Err(Fault::Status(status, body)) }
    }
}

fn broken(error: &hyper::Error) -> Fault {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    Fault::Broken(text)
}

/// Longer than the edge holds a request, so that its page is seen and not our impatience.
const PATIENCE: Duration = Duration::from_secs(30);
