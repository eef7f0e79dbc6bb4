//! From a request to a WebSocket (RFC 6455 section 4.2).

use api::FaultCode;
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::line::{Line, Socket};
use crate::server::{fault::Failure, state::Api};

/// A request that asks to become a WebSocket.
pub(in crate::server) struct Asked {
    upgrade: OnUpgrade,
    accept: HeaderValue,
}

impl FromRequestParts<Api> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        let has = |name: header::HeaderName, word: &str| {
            let values = parts.headers.get_all(name).into_iter();
            let mut words =
                values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
            words.any(|one| one.trim().eq_ignore_ascii_case(word))
        };
        let asks = has(header::CONNECTION, "upgrade")
            && has(header::UPGRADE, "websocket")
            && has(header::SEC_WEBSOCKET_VERSION, "13");
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks);
        let accept = key.and_then(|key| derive_accept_key(key.as_bytes()).parse().ok());
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        match (accept, upgrade) {
            (Some(accept), Some(upgrade)) => Ok(Self { upgrade, accept }),
            _ => Err(Failure::new(FaultCode::Invalid, "this path is a WebSocket of version 13")
                .hint("use `paas exec`, or a WebSocket client that sends the token as a header")),
        }
    }
}

impl Asked {
    /// The connection to be, and the answer after which it is one.
    pub(super) fn answer(self) -> (Connecting, Response<Body>) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        (Connecting(self.upgrade), response)
    }
}

/// A connection that becomes a WebSocket once the answer is sent.
pub(super) struct Connecting(OnUpgrade);

impl Connecting {
    /// Waits for that; `None` if the client went before.
    pub(super) async fn line(self) -> Option<Line> {
        let io = TokioIo::new(self.0.await.ok()?);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(BUFFER + api::session::MOST_MESSAGE)
            .max_message_size(Some(api::session::MOST_MESSAGE))
            .max_frame_size(Some(api::session::MOST_MESSAGE));
        let socket: Socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        Some(Line::new(socket))
    }
}

/// The most that is read or written at once, in bytes.
const BUFFER: usize = 64 << 10;
