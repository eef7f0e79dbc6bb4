//! The edge's answers to proofs over plain HTTP, from the same certificates that the edge is given.

use std::sync::Arc;

use proxy::{Certificates, Host};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Answers until the test ends.
pub(crate) async fn respond(listener: TcpListener, shown: watch::Receiver<Arc<Certificates>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, shown.borrow().clone()));
    }
}

async fn answer(mut stream: TcpStream, shown: Arc<Certificates>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
    let host = Host::parse(host.split(':').next().unwrap_or_default()).unwrap();
    let (status, text) = match shown.answers.get(&(host, path.into())) {
        Some(text) => ("200 OK", text.to_string()),
        None => ("404 Not Found", String::new()),
    };
    let length = text.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
    stream.write_all(answer.as_bytes()).await.ok();
}
