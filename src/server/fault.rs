//! From refusals and errors to answers: status, code, message, hint and request id.

use api::{Fault, FaultCode};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    model::InvalidName,
    ops::{Refusal, RefusalKind},
    store::StoreError,
};

/// A fault on its way out. It gets its request id when it is sent.
#[derive(Debug)]
pub(super) struct Failure {
    code: FaultCode,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            RefusalKind::Invalid => FaultCode::Invalid,
            RefusalKind::NotFound => FaultCode::NotFound,
            RefusalKind::Conflict => FaultCode::Conflict,
            RefusalKind::Unavailable => FaultCode::Unavailable,
            RefusalKind::DiskFull => FaultCode::DiskFull,
            RefusalKind::Internal => FaultCode::Internal,
        };
        Self { code, message: refusal.to_string(), hint: refusal.hint }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Self::new(FaultCode::Invalid, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let request_id = format!("{:016x}", rand::random::<u64>());
        let status = status(self.code);
        if status.is_server_error() {
            tracing::error!(%request_id, code = ?self.code, message = %self.message, "request failed");
        } else {
            tracing::info!(%request_id, code = ?self.code, message = %self.message, "request refused");
        }
        let fault = Fault { code: self.code, message: self.message, hint: self.hint, request_id };
        (status, Json(fault)).into_response()
    }
}

fn status(code: FaultCode) -> StatusCode {
    match code {
        FaultCode::Invalid => StatusCode::BAD_REQUEST,
        FaultCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        FaultCode::Forbidden => StatusCode::FORBIDDEN,
        FaultCode::NotFound => StatusCode::NOT_FOUND,
        FaultCode::Conflict => StatusCode::CONFLICT,
        FaultCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FaultCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
        FaultCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultCode::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        FaultCode::Internal | FaultCode::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(super) async fn no_such_path() -> Failure {
    Failure::new(FaultCode::NotFound, "there is no such path in this API")
        .hint("GET /v1/openapi.json describes what there is")
}
