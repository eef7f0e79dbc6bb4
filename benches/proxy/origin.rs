//! The origin behind every proxy: fixed answers, one task per connection, nothing parsed that need
//! not be. It must never be what a measurement waits for.

use std::net::SocketAddr;
use std::thread;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SMALL: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
const LARGE_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\
    \r\nContent-Type: application/octet-stream\r\nContent-Length: 1048576\r\n\r\n";
/// The path that is answered with one mebibyte; all others get the greeting.
pub(crate) const LARGE_PATH: &str = "/mib";

/// Starts it on a thread of its own, for as long as the program runs.
///
/// It listens on every loopback address, so that two upstreams can be one origin.
pub(crate) fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let large: &'static [u8] = [LARGE_HEAD, &vec![b'x'; 1 << 20]].concat().leak();
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::task::spawn_local(serve(stream, large));
                }
            }
        });
    });
    SocketAddr::from(([127, 0, 0, 1], port))
}

async fn serve(mut stream: TcpStream, large: &[u8]) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4096];
    // One request is in flight per connection and all heads are small: one read is one request.
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let path = buffer[..count].strip_prefix(b"GET ").unwrap_or_default();
        let answer = if path.starts_with(LARGE_PATH.as_bytes()) { large } else { SMALL };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
