//! From refusals and errors to answers: status, code, message, hint and request id.

use api::{Fault, FaultCode};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    git::GitError,
    model::InvalidName,
    ops::{Refusal, RefusalKind},
    store::StoreError,
    telemetry::chain,
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

    /// The same with another way out.
    pub(super) fn instead(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Failure {
    /// The same for a program that shows people plain text: git, and whoever has only curl.
    pub(super) fn into_text(self) -> Response {
        let fault = self.into_fault();
        let mut text = format!("{}\n", fault.message);
        if let Some(hint) = fault.hint {
            text.extend(["hint: ", &hint, "\n"]);
        }
        let kind = [("content-type", "text/plain; charset=utf-8")];
        (status(fault.code), kind, text).into_response()
    }

    /// Of what kind it is.
    pub(super) fn code(&self) -> FaultCode {
        self.code
    }

    /// What it says, and what to do.
    pub(super) fn into_words(self) -> (String, Option<String>) {
        (self.message, self.hint)
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        let code = match error {
            GitError::Missing => FaultCode::Unavailable,
            GitError::Io { .. }
            | GitError::Failed { .. }
            | GitError::Slow { .. }
            | GitError::TooMuch { .. }
            | GitError::Strange { .. } => FaultCode::Internal,
        };
        let failure = Self::new(code, chain(&error));
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
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

impl Failure {
    /// As it goes over the line; it is logged under the request id that it gets here.
    pub(super) fn into_fault(self) -> Fault {
        let request_id = format!("{:016x}", rand::random::<u64>());
        let status = status(self.code);
        if status.is_server_error() {
            tracing::error!(%request_id, code = ?self.code, message = %self.message, "request failed");
        } else {
            tracing::info!(%request_id, code = ?self.code, message = %self.message, "request refused");
        }
        Fault { code: self.code, message: self.message, hint: self.hint, request_id }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let fault = self.into_fault();
        (status(fault.code), Json(fault)).into_response()
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

pub(super) fn no_such_path() -> Failure {
    Failure::new(FaultCode::NotFound, "there is no such path in this API")
        .hint("GET /v1/openapi.json describes what there is")
}
