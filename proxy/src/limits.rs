//! Every bound and every patience of the edge, in one place, with the reason for each.
//!
//! Not a policy per service: these protect the edge itself. Nothing in this crate waits, queues or
//! buffers without a bound named here.

use std::time::Duration;

/// Bounds and timeouts. [`Limits::default`] is meant to be right; tests use smaller ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Client connections open at once; beyond it nothing is accepted until one closes.
    pub connections: usize,
    /// The same per client address (IPv6: per /64); further ones are closed at once. Generous, as
    /// whole companies come from one address. Trusted peers have no such bound.
    pub connections_per_client: usize,
    /// Time for the PROXY protocol, and again for the TLS handshake.
    pub handshake: Duration,
    /// How long a key seals session tickets; it opens them for as long again.
    pub ticket_period: Duration,
    /// Time without a worker running after which it is called stuck.
    pub stuck: Duration,
    /// Bytes of a request or response head. 32 KiB: more than any browser sends.
    pub head: usize,
    /// Bytes of a request line. 8 KiB, the least that RFC 9112 section 3 recommends.
    pub request_line: usize,
    /// Bytes read ahead of what was passed on, per direction of a connection.
    pub buffer: usize,
    /// Time for a whole request head, from its first byte. Total, so that a slow sender cannot
    /// stretch it.
    pub head_time: Duration,
    /// Time a kept-alive client connection may be quiet between requests.
    pub idle: Duration,
    /// Time without a byte of a request body arriving while we wait for one.
    pub upload_idle: Duration,
    /// Time a client may take over its body before `upload_rate` is asked of it.
    pub upload_grace: Duration,
    /// Bytes per second a client must send on average, counting only time spent waiting for it.
    pub upload_rate: u32,
    /// Time to connect to an upstream.
    pub connect: Duration,
    /// Time from the end of the request to the first byte of the response.
    pub first_byte: Duration,
    /// Time without a byte of a response body arriving from the upstream.
    pub stream_idle: Duration,
    /// Time without a client taking a byte that we have for it.
    pub write_stall: Duration,
    /// Time without a byte in either direction of a tunnel.
    pub tunnel_idle: Duration,
    /// Bytes of a request we read and throw away after answering early, so that the client sees
    /// the answer and not a reset.
    pub linger_bytes: usize,
    /// Time for the same.
    pub linger: Duration,
    /// How often an HTTP/2 client with open streams is asked whether it is still there; it has as
    /// long to say so.
    pub ping: Duration,
    /// Streams that one HTTP/2 connection may have open.
    pub streams: u32,
    /// Bytes of one body that an HTTP/2 client may send ahead of what the upstream took.
    pub stream_window: u32,
    /// The same for all bodies of a connection together.
    pub connection_window: u32,
    /// Streams a client may reset itself before it is asked whether it does little else.
    pub stream_resets: u32,
    /// Requests on one HTTP/2 connection; after that the client is asked to open another, so that
    /// connections move to where there is room.
    pub connection_requests: u64,
    /// Idle connections kept per upstream and worker. A few HTTP/2 clients have a thousand requests
    /// under way at once, and what is not kept is closed only to be opened again.
    pub pool: usize,
    /// Time an idle upstream connection is kept. Below the 5 s after which Node closes its own.
    pub pool_idle: Duration,
    /// Idle time after which a connection is no longer trusted with a request that could not be
    /// sent again: such a request gets a new connection.
    pub pool_fresh: Duration,
    /// Upstreams tried for one request, where nothing was sent to those before.
    pub attempts: u32,
    /// Time for an earlier upstream to be connected to and to begin its answer; after that it has nothing.
    /// A visitor waits as long for each of them, for what may be nowhere.
    pub earlier: Duration,
    /// Interim (1xx) responses before a final one.
    pub interim: u32,
    /// Connect failures in a row after which an upstream is left out for a while.
    pub eject_after: u32,
    /// How long it is left out the first time; doubles each time after.
    pub eject: Duration,
    /// The longest it is left out.
    pub eject_longest: Duration,
    /// Responses compressed at once per worker; further ones pass as they are. Each takes up to
    /// 1.6 MB for as long as its client takes to read it.
    pub encoders: usize,
    /// Access records waiting per worker for a slow reader; further ones are dropped and counted.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_client: 1024,
            handshake: Duration::from_secs(10),
            ticket_period: Duration::from_hours(12),
            stuck: Duration::from_secs(10),
            head: 32 * 1024,
            request_line: 8 * 1024,
            buffer: 64 * 1024,
            head_time: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            upload_idle: Duration::from_secs(30),
            upload_grace: Duration::from_secs(20),
            upload_rate: 240,
            connect: Duration::from_secs(3),
            first_byte: Duration::from_mins(1),
            stream_idle: Duration::from_mins(5),
            write_stall: Duration::from_mins(1),
            tunnel_idle: Duration::from_hours(1),
            linger_bytes: 256 * 1024,
            linger: Duration::from_secs(2),
            ping: Duration::from_secs(20),
            streams: 128,
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            stream_resets: 100,
            connection_requests: 1_000_000,
            pool: 1024,
            pool_idle: Duration::from_secs(4),
            pool_fresh: Duration::from_secs(1),
            attempts: 3,
            earlier: Duration::from_secs(2),
            interim: 16,
            eject_after: 3,
            eject: Duration::from_secs(10),
            eject_longest: Duration::from_mins(5),
            encoders: 128,
            records: 4096,
        }
    }
}
