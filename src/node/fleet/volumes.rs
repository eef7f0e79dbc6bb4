//! Volumes whose home is a node: what is done to them there, and their bytes on the way.

use futures_util::StreamExt;
use hyper::{Method, Request};
use tokio::time::timeout;

use super::{
    Nodes,
    call::{self, DEADLINE, Far, answered, ask, away},
};
use crate::{
    engine::{EngineError, docker::watched},
    model::{ByteSize, NodeName},
    node::{
        feed::{self, Lines},
        orders::{Answer, Inbound, Order, Outbound, RECEIVE, SEND, Wrong},
        steward::{Act, Acted, Lading, Of, Parcel, Pieces, Room},
    },
};

impl Nodes {
    /// Does something to a volume of a node. What was not heard may have been done.
    pub(in crate::node) async fn act(
        &self,
        node: &NodeName,
        (app, name): Of<'_>,
        act: Act,
    ) -> Result<Acted, EngineError> {
        let far = self.far(node)?;
        match ask(&far, "volume", &Order::Volume(app.clone(), name.clone(), act)).await? {
            Answer::Acted(acted) => Ok(acted),
            other => Err(call::strange(&far, "volume", &other)),
        }
    }

    /// Has a node send what is in a volume.
    pub(in crate::node) async fn give(
        &self,
        node: &NodeName,
        (app, name): Of<'_>,
        parcel: Parcel,
    ) -> Result<Lading, EngineError> {
        let far = self.far(node)?;
        let wanted = Outbound { app: app.clone(), volume: name.clone(), parcel };
        let late = |_| EngineError::Timeout { operation: "volume", after: DEADLINE };
        timeout(DEADLINE, begin(far, wanted)).await.map_err(late)?
    }

    /// Has a node take in what is to be in a volume. It takes as long as the tar does.
    pub(in crate::node) async fn take(
        &self,
        node: &NodeName,
        (app, name): Of<'_>,
        room: Room,
        pieces: Pieces,
    ) -> Result<(), EngineError> {
        let far = self.far(node)?;
        let line = feed::line(&Inbound { app: app.clone(), volume: name.clone(), room });
        let line = line.map_err(|error| away(&far, error.into()))?;
        let (pieces, broke) = watched(pieces);
        let request = Request::builder().method(Method::POST).uri(RECEIVE);
        let request = request.body(feed::headed(line, pieces));
        let request = request.map_err(|error| away(&far, error.into()))?;
        let answer = answered(&far, "volume", request).await;
        if let Some(error) = broke.get() {
            let (subject, message) = (call::at(&far), format!("what was sent broke off: {error}"));
            return Err(EngineError::Refused { operation: "volume", subject, status: 0, message });
        }
        match answer? {
            Answer::Heeded => Ok(()),
            other => Err(call::strange(&far, "volume", &other)),
        }
    }
}

/// Waits until the node sends.
async fn begin(far: Far, wanted: Outbound) -> Result<Lading, EngineError> {
    let response = call::send(&far, call::request(&far, SEND, &wanted)?).await?;
    let mut lines = Lines::of(response.into_body());
    let first = lines.next::<Result<Option<ByteSize>, Wrong>>().await;
    match first.map_err(|error| away(&far, error.into()))? {
        Some(Ok(expected)) => Ok(Lading { expected, pieces: lines.rest().boxed() }),
        Some(Err(wrong)) => Err(wrong.about("volume", call::at(&far))),
        None => Err(away(&far, "the call ended before it was answered".into())),
    }
}
