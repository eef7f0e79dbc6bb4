//! Figures of the edge and of the daemon, for Prometheus and its like.

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use crate::{
    metrics,
    server::{caller::Caller, fault::Failure, state::Api},
};

pub(super) async fn show(_: Caller, State(api): State<Api>) -> Result<Response, Failure> {
    let text = api.figures.render().ok_or_else(|| {
        Failure::new(api::FaultCode::Unavailable, "the edge has ended")
            .hint("the server is stopping; ask again when it runs")
    })?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
