//! A connection to Docker that stops being HTTP: a program's input goes one way, its output comes the
//! other.
//!
//! bollard would give it too, but guesses by the first byte whether output is framed, so that a program
//! that writes zeros would be misread. Here the caller knows, by whether there is a terminal. Nothing is
//! read ahead of what is asked for.

use std::{io, pin::Pin};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream, stream::BoxStream};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::UnixStream,
    time::timeout,
};

use super::{Docker, connection::START_DEADLINE, fault};
use crate::engine::{Ends, EngineError, OutputStream, Piece};

/// How output is written on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// As it is: there is a terminal.
    Raw,
    /// In frames that name the stream.
    Framed,
}

/// Asks Docker for the connection of `path`.
pub(super) async fn open(
    docker: &Docker,
    operation: &'static str,
    path: &str,
    body: &serde_json::Value,
    framing: Framing,
) -> Result<Ends, EngineError> {
    match timeout(START_DEADLINE, upgraded(docker, operation, path, body)).await {
        Ok(io) => Ok(ends(io?, framing)),
        Err(_) => Err(EngineError::Timeout { operation, after: START_DEADLINE }),
    }
}

async fn upgraded(
    docker: &Docker,
    operation: &'static str,
    path: &str,
    body: &serde_json::Value,
) -> Result<TokioIo<Upgraded>, EngineError> {
    let socket = &docker.settings().socket;
    let lost = |source: Box<dyn std::error::Error + Send + Sync>| EngineError::Unreachable {
        socket: socket.clone(),
        source,
    };
    let stream = UnixStream::connect(socket).await.map_err(|error| lost(error.into()))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| lost(error.into()))?;
    // It ends when the connection is no HTTP any more, or breaks.
    tokio::spawn(connection.with_upgrades());
    let version = docker.api().client_version();
    // What Docker does not read of it would be taken for input.
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/v{}.{}{path}", version.major_version, version.minor_version))
        .header("host", "docker")
        .header("content-type", "application/json")
        .header("connection", "Upgrade")
        .header("upgrade", "tcp")
        .body(Full::new(body))
        .map_err(|error| lost(error.into()))?;
    let response = sender.send_request(request).await.map_err(|error| lost(error.into()))?;
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let io = hyper::upgrade::on(response).await.map_err(|error| lost(error.into()))?;
        return Ok(TokioIo::new(io));
    }
    let said = Limited::new(response.into_body(), MOST_SAID).collect().await;
    let said = said.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let message = serde_json::from_slice::<serde_json::Value>(&said).ok();
    let message = message.and_then(|said| Some(said.get("message")?.as_str()?.to_owned()));
    let message = message.unwrap_or_else(|| format!("Docker answered {status}"));
    Err(fault::refusal(operation, path, status.as_u16(), message))
}

fn ends(io: TokioIo<Upgraded>, framing: Framing) -> Ends {
    let (read, write) = tokio::io::split(io);
    let output = match framing {
        Framing::Raw => raw(read),
        Framing::Framed => framed(read),
    };
    Ends { input: Box::pin(write), output }
}

fn raw(read: impl AsyncRead + Send + 'static) -> BoxStream<'static, io::Result<Piece>> {
    stream::try_unfold(Box::pin(read), |mut read| async move {
        let mut buffer = BytesMut::with_capacity(MOST_AT_ONCE);
        let count = read_some(&mut read, &mut buffer).await?;
        let piece = Piece { stream: OutputStream::Out, bytes: buffer.freeze() };
        Ok((count > 0).then_some((piece, read)))
    })
    .boxed()
}

/// What is left of the frame that is being read, and of which stream it is.
struct Framed<R> {
    read: Pin<Box<R>>,
    stream: OutputStream,
    left: usize,
}

/// A frame is its stream in one byte, three of nothing, its length in four, and its bytes. It is passed
/// on in pieces: its length is Docker's choice, and nothing here is to hold it.
fn framed<R: AsyncRead + Send + 'static>(read: R) -> BoxStream<'static, io::Result<Piece>> {
    let start = Framed { read: Box::pin(read), stream: OutputStream::Out, left: 0 };
    stream::try_unfold(start, |mut frame| async move {
        while frame.left == 0 {
            let mut header = [0; 8];
            match frame.read.read_exact(&mut header).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                read => read?,
            };
            let [stream, _, _, _, length @ ..] = header;
            frame.stream = if stream == 2 { OutputStream::Err } else { OutputStream::Out };
            frame.left = u32::from_be_bytes(length) as usize;
        }
        let mut buffer = BytesMut::with_capacity(frame.left.min(MOST_AT_ONCE));
        let most = u64::try_from(frame.left.min(MOST_AT_ONCE)).unwrap_or(u64::MAX);
        let count = read_some(&mut (&mut frame.read).take(most), &mut buffer).await?;
        frame.left -= count.min(frame.left);
        let piece = Piece { stream: frame.stream, bytes: buffer.freeze() };
        Ok((count > 0).then_some((piece, frame)))
    })
    .boxed()
}

async fn read_some(read: &mut (impl AsyncRead + Unpin), to: &mut BytesMut) -> io::Result<usize> {
    match read.read_buf(to).await {
        // The other side went without a word; what it wrote has been read.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(0),
        read => read,
    }
}

/// The most that is read in one piece, in bytes.
const MOST_AT_ONCE: usize = 32 << 10;
/// The longest refusal that is read, in bytes.
const MOST_SAID: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    async fn pieces(stream: BoxStream<'static, io::Result<Piece>>) -> Vec<(OutputStream, Bytes)> {
        stream.map(|piece| piece.map(|it| (it.stream, it.bytes)).unwrap()).collect().await
    }

    #[tokio::test]
    async fn frames_are_told_apart_however_they_come() {
        let line: &[u8] = b"\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x02\0\x01";
        let (mut there, here) = tokio::io::duplex(5);
        tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut there, line).await.unwrap();
        });
        let mut text = (Vec::new(), Vec::new());
        for (stream, bytes) in pieces(framed(here)).await {
            match stream {
                OutputStream::Out => text.0.extend_from_slice(&bytes),
                OutputStream::Err => text.1.extend_from_slice(&bytes),
            }
        }
        assert_eq!((&*text.0, &*text.1), (&b"one"[..], &[0, 1][..]));
    }

    #[tokio::test]
    async fn a_terminals_bytes_come_as_they_are() {
        let line: &[u8] = b"\x01\0\x02 no frame";
        assert_eq!(pieces(raw(line)).await, [(OutputStream::Out, Bytes::from_static(line))]);
    }
}
