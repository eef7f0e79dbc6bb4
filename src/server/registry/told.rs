//! What a registry's client is told instead of what it asked for, in the specification's form. Docker shows
//! the message of the first error and nothing else: the hint is part of it.
//!
//! Which code a refusal has matters to Docker: after `DENIED` and its like it ends, after any other it tries
//! the same four times more.

use api::FaultCode;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    model::InvalidName,
    ops::Refusal,
    registry::{ManifestError, ShelfError},
    server::{fault::Failure, password},
    telemetry::chain,
};

/// What went wrong, by the specification's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Unauthorized,
    NameUnknown,
    UploadUnknown,
    UploadInvalid,
    /// A piece that does not go on where the last one ended; the specification has no name for it.
    OutOfOrder,
    DigestInvalid,
    SizeInvalid,
    ManifestInvalid,
    ManifestBlobUnknown,
    Unsupported,
    Denied,
    TooMany,
    Unavailable,
    Unknown,
}

/// What it is told.
#[derive(Debug)]
pub(super) struct Told {
    code: Code,
    failure: Failure,
}

impl Told {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        // Only what our own side is to blame for is logged as such.
        let ours = matches!(code, Code::Unknown | Code::Unavailable);
        let kind = if ours { FaultCode::Internal } else { FaultCode::Invalid };
        Self { code, failure: Failure::new(kind, message) }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { failure: self.failure.hint(hint), ..self }
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let (word, status) = self.code.spoken();
        let fault = self.failure.into_fault();
        let hint = fault.hint.map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        let error = json!({
            "code": word,
            "message": fault.message + &hint,
            "detail": { "request_id": fault.request_id },
        });
        password::challenge((status, Json(json!({ "errors": [error] }))).into_response())
    }
}

impl Code {
    /// The specification's word, and the status that goes with it.
    fn spoken(self) -> (&'static str, StatusCode) {
        match self {
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::UploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Self::UploadInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Self::OutOfOrder => ("BLOB_UPLOAD_INVALID", StatusCode::RANGE_NOT_SATISFIABLE),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::SizeInvalid => ("SIZE_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestInvalid => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
            Self::Denied => ("DENIED", StatusCode::FORBIDDEN),
            Self::TooMany => ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS),
            Self::Unavailable => ("UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
            Self::Unknown => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        let code = match failure.code() {
            FaultCode::Unauthenticated => Code::Unauthorized,
            FaultCode::NotFound => Code::NameUnknown,
            FaultCode::TooMany => Code::TooMany,
            FaultCode::Unavailable => Code::Unavailable,
            FaultCode::Internal | FaultCode::Unknown => Code::Unknown,
            FaultCode::Invalid
            | FaultCode::Forbidden
            | FaultCode::Conflict
            | FaultCode::TooLarge
            | FaultCode::DiskFull => Code::Denied,
        };
        Self { code, failure }
    }
}

impl From<Refusal> for Told {
    fn from(refusal: Refusal) -> Self {
        Failure::from(refusal).into()
    }
}

impl From<InvalidName> for Told {
    fn from(error: InvalidName) -> Self {
        // The specification's word would be `NAME_INVALID`, after which Docker tries the same again.
        Self::new(Code::NameUnknown, error.to_string())
    }
}

impl From<ManifestError> for Told {
    fn from(error: ManifestError) -> Self {
        let code = match error {
            ManifestError::Malformed(_) | ManifestError::Disagrees { .. } => Code::ManifestInvalid,
            ManifestError::Kind(_)
            | ManifestError::NoImage(_)
            | ManifestError::Layer { .. }
            | ManifestError::Many { .. } => Code::Unsupported,
        };
        let told = Self::new(code, error.to_string());
        match error {
            // What Docker tries when the newer one was refused, and what people are shown of both.
            ManifestError::Kind(kind) if kind.starts_with(FIRST_SCHEMA) => {
                told.hint("the server's log says why the image's own manifest was refused before")
            }
            _ => told,
        }
    }
}

impl From<ShelfError> for Told {
    fn from(error: ShelfError) -> Self {
        let text = chain(&error);
        match error {
            ShelfError::Busy => Self::new(Code::UploadInvalid, text),
            ShelfError::Crowded => Self::new(Code::TooMany, text)
                .hint("push again when they have ended, or in an hour"),
            ShelfError::TooLarge => Self::new(Code::Denied, text)
                .hint("make the layer smaller, or several of it; `docker history` shows them"),
            ShelfError::Mismatch { .. } => Self::new(Code::DigestInvalid, text)
                .hint("something on the way changed it; push again: `docker push`"),
            ShelfError::Disk(error) if is_full(&error) => full(text),
            ShelfError::Disk(_) => Self::new(Code::Unknown, text),
        }
    }
}

impl From<std::io::Error> for Told {
    fn from(error: std::io::Error) -> Self {
        ShelfError::from(error).into()
    }
}

/// There is no room.
pub(super) fn full(text: impl Into<String>) -> Told {
    Told::new(Code::Denied, text)
        .hint("see what takes the space with `paas status`, and with `df -h` on the server")
}

const FIRST_SCHEMA: &str = "application/vnd.docker.distribution.manifest.v1";

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
