//! Asking the engine of a node.

use std::time::Duration;

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    engine::{EngineError, OutputLine},
    model::{ContainerId, NodeName, Timestamp},
    node::{
        feed::Lines,
        link::{Body, Link, LinkError, LinkState, full, whole},
        orders::{Answer, ORDER, OUTPUT, Order, OutputOf, Wrong},
        steward::Act,
    },
};

/// The engine of a node that can be asked now.
#[derive(Debug, Clone)]
pub(super) struct Far {
    pub(super) node: NodeName,
    pub(super) link: Link,
}

/// Has an order done, or says why it was not. What was not heard in time may have been done.
pub(super) async fn ask(
    far: &Far,
    operation: &'static str,
    order: &Order,
) -> Result<Answer, EngineError> {
    let patience = match order {
        Order::Check { patience, .. } => DEADLINE.saturating_add(*patience),
        // A copy has a limit of its own there, and a link that is lost ends it.
        Order::Volume(_, _, Act::Copy(..) | Act::Fetch(_)) => A_COPY,
        _ => DEADLINE,
    };
    let asked = async { answered(far, operation, request(far, ORDER, order)?).await };
    match timeout(patience, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(EngineError::Timeout { operation, after: patience }),
    }
}

/// What is answered to a request, unless it is that something went wrong; for as long as it takes.
pub(super) async fn answered(
    far: &Far,
    operation: &'static str,
    request: Request<Body>,
) -> Result<Answer, EngineError> {
    let response = send(far, request).await?;
    let body = whole(response.into_body(), LARGEST_ANSWER).await;
    let body = body.map_err(|source| away(far, source))?;
    match serde_json::from_slice(&body).map_err(|error| away(far, error.into()))? {
        Answer::Wrong(wrong) => Err(wrong.about(operation, at(far))),
        answer => Ok(answer),
    }
}

/// What an instance there has written, and writes.
pub(super) fn told(
    far: Far,
    id: ContainerId,
    since: Option<Timestamp>,
) -> BoxStream<'static, Result<OutputLine, EngineError>> {
    let begun = async move {
        let wanted = OutputOf { id, since };
        let asked = async { send(&far, request(&far, OUTPUT, &wanted)?).await };
        match asked.await {
            Ok(response) => lines(far, response).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    };
    stream::once(begun).flatten().boxed()
}

fn lines(
    far: Far,
    response: Response<Body>,
) -> impl futures_util::Stream<Item = Result<OutputLine, EngineError>> + Send {
    let lines = Lines::of(response.into_body());
    stream::unfold(Some((far, lines)), |state| async move {
        let (far, mut lines) = state?;
        match lines.next::<Result<OutputLine, Wrong>>().await {
            Ok(Some(Ok(line))) => Some((Ok(line), Some((far, lines)))),
            Ok(Some(Err(wrong))) => Some((Err(wrong.about("logs", at(&far))), None)),
            Ok(None) => None,
            Err(error) => Some((Err(away(&far, error.into())), None)),
        }
    })
}

pub(super) fn request(
    far: &Far,
    path: &str,
    value: &impl Serialize,
) -> Result<Request<Body>, EngineError> {
    let body = serde_json::to_vec(value).map_err(|error| away(far, error.into()))?;
    let request = Request::builder().method(Method::POST).uri(path).body(full(body));
    request.map_err(|error| away(far, error.into()))
}

/// Sends a request, and waits for an answer to it that is no refusal.
pub(super) async fn send(far: &Far, request: Request<Body>) -> Result<Response<Body>, EngineError> {
    // Control waits for nobody who is not there: it has others to look after.
    if let LinkState::Down { why, .. } = &*far.link.state().borrow() {
        return Err(away(far, why.clone().into()));
    }
    let response = far.link.call(request).await.map_err(|error| match error {
        LinkError::Down { why, .. } => away(far, why.into()),
        other => away(far, other.into()),
    })?;
    match response.status() {
        StatusCode::OK => Ok(response),
        status => {
            let said = whole(response.into_body(), LARGEST_ANSWER).await.unwrap_or_default();
            let said = String::from_utf8_lossy(&said).into_owned();
            Err(away(far, format!("{said} ({})", status.as_u16()).into()))
        }
    }
}

/// It answered something else than what was asked for.
pub(super) fn strange(far: &Far, operation: &'static str, answer: &Answer) -> EngineError {
    let message = format!("an answer that does not belong to it: {answer:?}");
    EngineError::Refused { operation, subject: at(far), status: 0, message }
}

/// It is not reached, or not understood.
pub(super) fn away(far: &Far, source: Box<dyn std::error::Error + Send + Sync>) -> EngineError {
    EngineError::Unreachable { socket: at(far), source }
}

/// Where it is, for people.
pub(super) fn at(far: &Far) -> String {
    format!("node {}", far.node)
}

/// For an answer; a container's start has a minute of its own there.
pub(super) const DEADLINE: Duration = Duration::from_secs(75);
/// For a copy of what is in a volume.
const A_COPY: Duration = Duration::from_hours(12);
/// Bytes of an answer: what is to be seen on a machine with thousands of containers is less.
const LARGEST_ANSWER: usize = 64 << 20;
