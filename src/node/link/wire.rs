//! What both sides of a link agree on: the names on the wire, and the sizes of HTTP/2.
//!
//! Windows are large because one connection carries all traffic between two nodes. A tunnel that nobody
//! reads holds at most its own window of the connection's; whoever must not wait behind a hundred of
//! these makes a second [`Link`](super::Link) for its calls.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{SendStream, client, server};
use hyper::{
    HeaderMap, Method,
    header::{HeaderName, HeaderValue},
};

/// What both sides say that they speak.
pub(super) const ALPN: &[u8] = b"paas-link/1";
/// Which version of paas a daemon is, in every request and every answer.
pub(super) const VERSION: HeaderName = HeaderName::from_static("paas-version");
/// Our own.
pub(super) const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");
/// With which term a daemon leads, in every request and every answer of one that does.
pub(super) const TERM: HeaderName = HeaderName::from_static("paas-term");
/// What a tunnel is to lead to.
pub(super) const TARGET: HeaderName = HeaderName::from_static("paas-target");
/// The method of the first request of a connection, which the far side answers itself: TLS 1.3 does not
/// tell a client whether its certificate was accepted.
pub(super) const HELLO: &str = "HELLO";

/// That method.
pub(super) fn hello() -> Method {
    Method::from_bytes(HELLO.as_bytes()).expect("five letters are a method")
}

/// The version that the other side says that it is, if that is a version's length.
pub(super) fn version(fields: &HeaderMap) -> Option<String> {
    let version = fields.get(VERSION)?.to_str().ok()?;
    (version.len() <= LONGEST_VERSION).then(|| version.to_owned())
}

/// The term with which the other side says that it leads.
pub(super) fn term(fields: &HeaderMap) -> Option<u64> {
    fields.get(TERM)?.to_str().ok()?.parse().ok()
}

/// What this daemon says of itself: its version and, if it leads, with which term.
pub(super) fn introduce(fields: &mut HeaderMap, leads: Option<u64>) {
    fields.insert(VERSION, HeaderValue::from_static(OWN_VERSION));
    match leads {
        Some(term) => drop(fields.insert(TERM, term.into())),
        // What is sent again may have been said by one that led.
        None => drop(fields.remove(TERM)),
    }
}

/// How a client speaks.
pub(super) fn calling() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESETS)
        .max_local_error_reset_streams(None)
        .enable_push(false);
    builder
}

/// How a server speaks.
pub(super) fn serving() -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_streams(STREAMS)
        .max_concurrent_reset_streams(RESETS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(None);
    builder
}

/// Sends all of `data` as the far side's window allows; nothing is queued beyond it.
pub(super) async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> io::Result<()> {
    while !data.is_empty() {
        let room = std::future::poll_fn(|cx| poll_room(stream, cx, data.len())).await?;
        stream.send_data(data.split_to(room), false).map_err(broken)?;
    }
    Ok(())
}

/// Waits for room for a part of `wanted` bytes, which must not be none; says how large a part.
pub(super) fn poll_room(
    stream: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    wanted: usize,
) -> Poll<io::Result<usize>> {
    stream.reserve_capacity(wanted);
    loop {
        let room = stream.capacity();
        if room > 0 {
            return Poll::Ready(Ok(room.min(wanted)));
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

/// Waits until the far side gives a stream up.
pub(super) async fn given_up(stream: &mut SendStream<Bytes>) -> io::Error {
    match std::future::poll_fn(|cx| stream.poll_reset(cx)).await {
        Ok(reason) => broken(h2::Error::from(reason)),
        Err(error) => broken(error),
    }
}

/// A fault of the stream or its connection, as one of IO.
pub(super) fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// What one stream may have on its way: at 20 ms it carries 100 MB/s.
const STREAM_WINDOW: u32 = 2 << 20;
/// What all of them may together. It bounds the memory that a peer can make us use.
const CONNECTION_WINDOW: u32 = 256 << 20;
/// A larger frame means fewer of them, a smaller one that others get their turn sooner.
const FRAME: u32 = 64 << 10;
/// All fields of a request or an answer.
const HEAD: u32 = 64 << 10;
/// What one stream may have in memory before it is on its way.
const SEND_BUFFER: usize = 1 << 20;
/// Calls and tunnels of one connection at the same time; more wait.
const STREAMS: u32 = 16 << 10;
/// Streams that were given up and are remembered, so that what was on its way meanwhile is no fault.
/// The library's own limits are for browsers, whose many resets are attacks.
const RESETS: usize = 4 << 10;
/// Nobody's version is longer.
const LONGEST_VERSION: usize = 64;
