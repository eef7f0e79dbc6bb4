//! The load: kept-alive connections that ask all the time, and WebSocket connections that stay open.
//!
//! The answers are checked to the byte: mark, host, path and the length of what was sent. Requests
//! are paced a little, so that on a small machine the load leaves the deploys some of it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

use crate::{
    ledger::Ledger,
    line::{Line, Question},
};

/// Where the load goes, and where it is noted.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    pub(crate) edge: SocketAddr,
    pub(crate) host: String,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) stop: CancellationToken,
}

/// A load under way.
#[derive(Debug)]
pub(crate) struct Load {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Load {
    /// Starts so many connections for requests, and so many for WebSocket messages.
    pub(crate) fn start(aim: &Aim, connections: usize, sockets: usize) -> Self {
        let mut tasks = JoinSet::new();
        for index in 0..connections {
            tasks.spawn(ask_on(aim.clone(), index));
        }
        for _ in 0..sockets {
            tasks.spawn(talk_on(aim.clone()));
        }
        Self { tasks, stop: aim.stop.clone() }
    }

    /// Ends it; what is under way is waited for.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

async fn ask_on(aim: Aim, index: usize) {
    let mut number = 0_u64;
    while !aim.stop.is_cancelled() {
        let mut line = match Line::open(aim.edge, &aim.host).await {
            Ok(line) => line,
            Err(fault) => {
                aim.ledger.fault(format!("cannot connect: {fault}"));
                sleep(AFTER_FAULT).await;
                continue;
            }
        };
        for _ in 0..REQUESTS_A_LINE {
            if aim.stop.is_cancelled() {
                return;
            }
            number += 1;
            let path = format!("/echo/{index}-{number}");
            let body = number.is_multiple_of(4).then(|| "x".repeat(300));
            let question = Question { path, body };
            let before = aim.ledger.right();
            let asked = Instant::now();
            let answer = line.ask(&question).await;
            let after = aim.ledger.right();
            match answer {
                Ok(text) => match judge(&aim, &question, &text) {
                    Some(mark) if aim.ledger.is_past(mark, asked) => {
                        aim.ledger.fault(format!("mark {mark} after all instances had changed"));
                    }
                    Some(mark) if before.contains(&mark) || after.contains(&mark) => {
                        aim.ledger.count();
                    }
                    Some(mark) => aim.ledger.fault(format!(
                        "mark {mark} where only {before:?}, later {after:?}, is right"
                    )),
                    None => aim.ledger.fault(format!("wrong answer to {question:?}: {text}")),
                },
                Err(fault) => {
                    let method = if question.body.is_some() { "POST" } else { "GET" };
                    aim.ledger.fault(format!("{method} while {before:?} is right: {fault}"));
                    sleep(AFTER_FAULT).await;
                    break;
                }
            }
            sleep(PACE).await;
        }
    }
}

/// The mark of an answer that is whole and ours.
fn judge(aim: &Aim, question: &Question, text: &str) -> Option<u32> {
    let sent = question.body.as_ref().map_or(0, String::len);
    let (mark, rest) = text.strip_prefix("mark ")?.split_once(' ')?;
    let expected =
        format!("host {} path {} sent {sent} {}\n", aim.host, question.path, ".".repeat(FILLER));
    (rest == expected).then(|| mark.parse().ok())?
}

/// One WebSocket after another, each until its instance ends.
async fn talk_on(aim: Aim) {
    while !aim.stop.is_cancelled() {
        if let Err(fault) = talk(&aim).await {
            aim.ledger.fault(format!("WebSocket: {fault}"));
            sleep(AFTER_FAULT).await;
        }
    }
}

async fn talk(aim: &Aim) -> Result<(), String> {
    let mut socket = timeout(SOCKET_PATIENCE, connect(aim))
        .await
        .unwrap_or_else(|_| Err("no connection in time".to_owned()))?;
    let mark = match next(&mut socket).await? {
        Message::Text(text) => text.strip_prefix("mark ").and_then(|mark| mark.parse().ok()),
        _ => None,
    };
    let mark: u32 = mark.ok_or("the first message is not a mark")?;
    let mut number = 0;
    loop {
        tokio::select! {
            () = aim.stop.cancelled() => return Ok(()),
            () = sleep(SOCKET_PACE) => {}
            message = next(&mut socket) => return parted(aim, mark, &message?),
        }
        number += 1;
        let said = format!("message {number}");
        socket.send(Message::text(said.clone())).await.map_err(|error| error.to_string())?;
        match next(&mut socket).await? {
            Message::Text(text) if text.as_str() == said => {}
            other => return parted(aim, mark, &other),
        }
    }
}

/// Whether a WebSocket ended as it should: told so by an instance that had its time.
fn parted(aim: &Aim, mark: u32, message: &Message) -> Result<(), String> {
    let Message::Close(Some(frame)) = message else {
        return Err(format!("unexpected {message:?} from mark {mark}"));
    };
    if frame.code != CloseCode::Away {
        return Err(format!("closed with {} by mark {mark}", frame.code));
    }
    if !aim.ledger.may_end(mark, DRAIN) {
        return Err(format!("mark {mark} closed it before its drain time was over"));
    }
    aim.ledger.part();
    Ok(())
}

async fn connect(aim: &Aim) -> Result<WebSocketStream<TcpStream>, String> {
    let stream = TcpStream::connect(aim.edge).await.map_err(|error| error.to_string())?;
    let request = format!("ws://{}/socket", aim.host).into_client_request();
    let request = request.map_err(|error| error.to_string())?;
    let (socket, _) = client_async(request, stream).await.map_err(|error| error.to_string())?;
    Ok(socket)
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Result<Message, String> {
    match timeout(SOCKET_PATIENCE, socket.next()).await {
        Ok(Some(Ok(message))) => Ok(message),
        Ok(Some(Err(error))) => Err(error.to_string()),
        Ok(None) => Err("ended without a word".to_owned()),
        Err(_) => Err("silent".to_owned()),
    }
}

/// The characters with which each answer is filled up, so that it takes more than one write.
pub(crate) const FILLER: usize = 2000;
/// An instance that is left keeps its open connections for so long, by default.
const DRAIN: Duration = Duration::from_secs(30);
/// After so many requests a connection is closed and a new one opened.
const REQUESTS_A_LINE: usize = 300;
/// Between two requests of a connection.
const PACE: Duration = Duration::from_millis(4);
/// Between two messages of a WebSocket.
const SOCKET_PACE: Duration = Duration::from_millis(500);
/// A fault that lasts is not to fill the memory.
const AFTER_FAULT: Duration = Duration::from_millis(100);
/// For one message, or for a new connection.
const SOCKET_PATIENCE: Duration = Duration::from_secs(30);
