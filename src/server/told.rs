//! A deploy for whoever has only `curl`: a tar in, the story of the deploy as plain text out, and a status
//! that says how it ended.
//!
//! The answer comes with the end, because a status cannot be taken back; it goes on if nobody waits.

use api::{FaultCode, Frame};
use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    model::{AppName, BuildNumber},
    ops::{create::existing, upload::Uploaded},
    server::{
        caller::Caller,
        fault::Failure,
        follow,
        patient::patient,
        state::Api,
        uploads::{Arrival, Order, accept},
    },
};

/// A tar, plain or gzip.
pub(super) async fn deploy(
    caller: Result<Caller, Failure>,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(order): Query<Order>,
    body: Body,
) -> Response {
    let told = async {
        let (caller, app) = (caller?, name.parse::<AppName>()?);
        existing(&api.store.snapshot(), &app)?;
        let tree = patient(body);
        let by = &caller.actor;
        let arrival = Arrival { app: &app, by, earlier: None, commit: None, pushed: None, order };
        match accept(&api, arrival, tree).await? {
            Uploaded::Unchanged(release) => {
                let text = format!("no changes: {release} already runs this; nothing moved\n");
                Ok((StatusCode::OK, text))
            }
            Uploaded::Queued(number) => follow(&api, &app, number).await,
        }
    };
    match told.await {
        Ok((status, text)) => {
            (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Err(failure) => failure.into_text(),
    }
}

/// The whole story, and how it ended.
async fn follow(
    api: &Api,
    app: &AppName,
    number: BuildNumber,
) -> Result<(StatusCode, String), Failure> {
    let mut story = follow::story(api, app, number);
    let mut narration = cli::Narration::new(app.as_str());
    let mut text = String::new();
    while let Some(frame) = api.ending.run_until_cancelled(story.recv()).await.flatten() {
        let end = match &frame {
            Frame::Done { urls, .. } => Some((StatusCode::OK, urls.join("\n"))),
            Frame::Failed { .. } => Some((StatusCode::UNPROCESSABLE_ENTITY, String::new())),
            Frame::Queued { .. }
            | Frame::Phase { .. }
            | Frame::Log { .. }
            | Frame::Image { .. }
            | Frame::Release { .. }
            | Frame::Instances { .. }
            | Frame::Unknown => None,
        };
        for line in narration.tell(frame) {
            // A build that writes without end is read to its end, and kept as far as anybody reads.
            if text.len() < LONGEST {
                text += &line;
                text.push('\n');
            }
        }
        if let Some((status, urls)) = end {
            if !urls.is_empty() {
                text += &urls;
                text.push('\n');
            }
            return Ok((status, text));
        }
    }
    Err(Failure::new(
        FaultCode::Unavailable,
        "the server ends; the deploy goes on with the next one",
    )
    .hint(format!("`paas deploys -a {app}` shows how it does")))
}

/// What is kept of a story, in bytes.
const LONGEST: usize = 1 << 20;
