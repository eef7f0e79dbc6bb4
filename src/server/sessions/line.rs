//! The server's side of a session's WebSocket: the contract's messages in and out, and nothing of what
//! they are for.

use std::time::Duration;

use api::{
    Fault,
    session::{Ask, Begun, SILENCE, Tell},
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A session's WebSocket.
pub(super) struct Line {
    pub(super) hears: Ear,
    pub(super) says: Mouth,
}

/// What the client says.
pub(super) struct Ear(SplitStream<Socket>);

/// What the client is told.
pub(super) struct Mouth(SplitSink<Socket, Message>);

/// The client is gone, or says what nobody understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub(super) struct Gone;

impl Line {
    pub(super) fn new(socket: Socket) -> Self {
        let (says, hears) = socket.split();
        Self { hears: Ear(hears), says: Mouth(says) }
    }

    /// What the client wants, which it says first.
    pub(super) async fn begin<T: DeserializeOwned>(&mut self) -> Result<T, Gone> {
        let first = timeout(FIRST, self.hears.next()).await.map_err(|_| Gone)??;
        match Ask::read(&first) {
            Ok(Some(Ask::Begin(json))) => serde_json::from_slice(json).map_err(|_| Gone),
            _ => Err(Gone),
        }
    }

    /// Closes it, once the client has heard everything. Until it has closed too, what it still sends is
    /// read: bytes that nobody reads would have the kernel take back what was sent.
    pub(super) async fn close(mut self) {
        let closing = async {
            self.says.0.close().await.ok();
            while self.hears.next().await.is_ok() {}
        };
        timeout(FAREWELL, closing).await.ok();
    }
}

impl Ear {
    /// The next message of the contract; a client that says nothing for too long is gone.
    pub(super) async fn next(&mut self) -> Result<bytes::Bytes, Gone> {
        loop {
            let next = timeout(Duration::from_secs(SILENCE), self.0.next()).await;
            match next {
                Ok(Some(Ok(Message::Binary(bytes)))) => return Ok(bytes),
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                _ => return Err(Gone),
            }
        }
    }
}

impl Mouth {
    /// Says one thing; waits for a client that does not listen.
    pub(super) async fn say(&mut self, tell: Tell<'_>) -> Result<(), Gone> {
        self.0.send(Message::Binary(tell.write().into())).await.map_err(|_| Gone)
    }

    /// Says that it is there.
    pub(super) async fn ping(&mut self) -> Result<(), Gone> {
        self.0.send(Message::Ping(bytes::Bytes::new())).await.map_err(|_| Gone)
    }

    pub(super) async fn begun(&mut self, begun: &Begun) -> Result<(), Gone> {
        self.say(Tell::Begun(&json(begun))).await
    }

    /// Says why there is no session any more; a client that does not listen is not waited for.
    pub(super) async fn fault(&mut self, fault: &Fault) -> Result<(), Gone> {
        let json = json(fault);
        timeout(LAST_WORD, self.say(Tell::Fault(&json))).await.map_err(|_| Gone)?
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// For the first message, which a client sends at once.
const FIRST: Duration = Duration::from_secs(15);
/// For a client to take the last word.
const LAST_WORD: Duration = Duration::from_secs(1);
/// For the client to close after the last message.
const FAREWELL: Duration = Duration::from_secs(5);
