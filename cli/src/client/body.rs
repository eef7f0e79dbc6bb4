//! An answer of any length, piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{Reply, broken};
use crate::failure::Failure;

/// What is left of an answer.
pub(crate) struct Pieces {
    reply: Reply,
    address: String,
}

impl Pieces {
    pub(super) fn new(reply: Reply, address: String) -> Self {
        Self { reply, address }
    }

    /// The next piece; `None` where all of it has come.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = timeout(STALL, self.reply.response.body_mut().frame()).await;
            let stalled = |_| {
                Failure::unreachable(format!("the connection to {} broke", self.address))
                    .because(format!("nothing came for {} s", STALL.as_secs()))
            };
            match frame.map_err(stalled)? {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(fault)) => return Err(broken(&self.address, &fault)),
            }
        }
    }
}

/// A download in which nothing moves.
const STALL: Duration = Duration::from_mins(1);
