//! A session's WebSocket: the messages of `api::session` out and in, over whatever line the client has.

use std::time::Duration;

use api::session::{Ask, MOST_MESSAGE, SILENCE};
use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::{
    Method, StatusCode,
    header::{
        CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{ANSWER, Answer, Client, Driver, nothing};
use crate::failure::Failure;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Both directions of a session.
pub(crate) struct Line {
    /// What the server says.
    pub(crate) hears: Ear,
    /// What it is told.
    pub(crate) says: Mouth,
}

/// What the server says.
pub(crate) struct Ear {
    stream: SplitStream<Socket>,
    address: String,
    _driver: Driver,
}

/// What the server is told.
pub(crate) struct Mouth {
    sink: SplitSink<Socket, Message>,
    address: String,
}

impl Client {
    /// Opens the session that is at `path`.
    pub(crate) async fn session(&self, path: &str) -> Result<Line, Failure> {
        timeout(ANSWER, self.open_session(path)).await.map_err(|_| self.silent(ANSWER))?
    }

    async fn open_session(&self, path: &str) -> Result<Line, Failure> {
        let key = generate_key();
        let io = TokioIo::new(self.connect().await?);
        let mut request = self.request(Method::GET, path, nothing())?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(
            SEC_WEBSOCKET_KEY,
            HeaderValue::from_str(&key)
                .map_err(|fault| Failure::local("the request cannot be written").because(fault))?,
        );
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(|fault| self.broken(&fault))?;
        let driver = Driver(tokio::spawn(async move {
            // What goes wrong on the line, the session tells as well.
            connection.with_upgrades().await.ok();
        }));
        let response = sender.send_request(request).await.map_err(|fault| self.broken(&fault))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let reply = Answer::check(super::Reply { response, _driver: driver }, self).await?;
            return Err(older(reply.response.status()));
        }
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(older(response.status()));
        }
        let io = hyper::upgrade::on(response).await.map_err(|fault| self.broken(&fault))?;
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_write_buffer_size(2 * MOST_MESSAGE)
            .max_message_size(Some(MOST_MESSAGE))
            .max_frame_size(Some(MOST_MESSAGE));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(io), Role::Client, Some(config)).await;
        let (sink, stream) = socket.split();
        let address = self.address();
        Ok(Line {
            hears: Ear { stream, address: address.clone(), _driver: driver },
            says: Mouth { sink, address },
        })
    }
}

fn older(status: StatusCode) -> Failure {
    Failure::local("the server's answer is not understood")
        .because(format!("it answered `{status}` where a WebSocket was asked for"))
        .hint("compare `paas --version` with the version that `paas status` shows")
}

impl Ear {
    /// The next message. A server that says nothing for too long, or goes without a last word, is lost.
    /// May be dropped anywhere.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Failure> {
        loop {
            let next = timeout(Duration::from_secs(SILENCE), self.stream.next()).await;
            match next {
                Ok(Some(Ok(Message::Binary(bytes)))) => return Ok(bytes),
                Ok(Some(Ok(Message::Close(_))) | None) => {
                    return Err(self.lost("it ended without a last word"));
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(fault))) => return Err(self.lost(fault)),
                Err(_) => return Err(self.lost(format!("it said nothing for {SILENCE} s"))),
            }
        }
    }

    fn lost(&self, cause: impl ToString) -> Failure {
        lost(&self.address, cause)
    }
}

impl Mouth {
    /// Tells the server one thing; waits while it does not listen.
    pub(crate) async fn say(&mut self, ask: Ask<'_>) -> Result<(), Failure> {
        let message = Message::Binary(ask.write().into());
        self.sink.send(message).await.map_err(|fault| lost(&self.address, fault))
    }

    /// Tells it what is wanted, as JSON.
    pub(crate) async fn begin(&mut self, wanted: &impl serde::Serialize) -> Result<(), Failure> {
        let json = serde_json::to_vec(wanted)
            .map_err(|fault| Failure::local("the request cannot be written").because(fault))?;
        self.say(Ask::Begin(&json)).await
    }

    /// Tells it that somebody is there.
    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        let ping = Message::Ping(Bytes::new());
        self.sink.send(ping).await.map_err(|fault| lost(&self.address, fault))
    }

    /// Says goodbye; the server may have gone already.
    pub(crate) async fn close(&mut self) {
        timeout(FAREWELL, self.sink.close()).await.ok();
    }
}

fn lost(address: &str, cause: impl ToString) -> Failure {
    Failure::unreachable(format!("the connection to {address} broke"))
        .because(cause)
        .hint("is the daemon running? `systemctl status paas`; see `journalctl -u paas -n 50`")
}

/// For the goodbye to be sent.
const FAREWELL: Duration = Duration::from_secs(2);
