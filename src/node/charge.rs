//! What whoever leads charges a node's daemon with, beyond its engine and its edge. The daemon knows what it says.

use bytes::Bytes;
use hyper::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use super::link::{Body, full, refusal, whole};
use crate::model::NodeName;

/// Where a node is charged with something, over the link.
pub const CHARGE: &str = "/charge";

/// A node is charged with something.
#[derive(Debug)]
pub struct Charged {
    /// By whom.
    pub by: NodeName,
    /// With what.
    pub text: Bytes,
    /// Where the answer goes: what comes of it, or why nothing does.
    pub answer: oneshot::Sender<Result<Vec<u8>, String>>,
}

/// Passes a charge on to the daemon, and its answer back.
pub(super) async fn pass_on(
    by: NodeName,
    body: Body,
    charges: &mpsc::Sender<Charged>,
) -> Response<Body> {
    let Ok(text) = whole(body, LARGEST).await else {
        return refusal(StatusCode::BAD_REQUEST, "the charge is cut off, or too large");
    };
    let (answer, answered) = oneshot::channel();
    let ending = || refusal(StatusCode::SERVICE_UNAVAILABLE, "the daemon is ending");
    if charges.send(Charged { by, text, answer }).await.is_err() {
        return ending();
    }
    match answered.await {
        Ok(Ok(answer)) => Response::new(full(answer)),
        Ok(Err(why)) => refusal(StatusCode::CONFLICT, &why),
        Err(_) => ending(),
    }
}

/// Keys and settings have less, in bytes.
const LARGEST: usize = 4 << 20;
