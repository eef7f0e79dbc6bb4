//! Streams of JSON values, one a line (`application/x-ndjson`).

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc;

/// Whoever listened has gone.
#[derive(Debug, thiserror::Error)]
#[error("the listener has gone")]
pub(super) struct Gone;

/// A response whose body is what is sent; it ends when the sender is dropped. Sending waits for a
/// slow reader.
pub(super) fn ndjson<T: Serialize + Send + 'static>() -> (mpsc::Sender<T>, Response<Body>) {
    let (sender, receiver) = mpsc::channel::<T>(PENDING);
    let lines = stream::unfold(receiver, |mut receiver| async move {
        let value = receiver.recv().await?;
        let mut line = serde_json::to_vec(&value).unwrap_or_default();
        line.push(b'\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(line)), receiver))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let kind = axum::http::HeaderValue::from_static(api::NDJSON);
    response.headers_mut().insert("content-type", kind);
    (sender, response)
}

/// Values that wait for a slow reader.
const PENDING: usize = 64;
