//! Figures for Prometheus and its like, with a token like everything else.

use api::FaultCode;
use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use crate::{
    metrics,
    server::{caller::Caller, fault::Failure, state::Api},
};

pub(super) async fn figures(_: Caller, State(api): State<Api>) -> Result<Response, Failure> {
    let text = api.figures.text().map_err(|error| {
        Failure::new(FaultCode::Internal, format!("this process cannot be measured: {error}"))
    })?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
