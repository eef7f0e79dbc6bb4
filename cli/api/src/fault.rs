//! What the API says when it does not do what it was asked.

use serde::{Deserialize, Serialize};

/// Why a request was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Fault {
    /// For programs.
    pub code: FaultCode,
    /// What failed and because of what, for people.
    pub message: String,
    /// What to do next, with a real command.
    pub hint: Option<String>,
    /// To find the request in the server's log.
    pub request_id: String,
}

/// The kinds of faults, each with its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// 400: the request is not one that this API understands.
    Invalid,
    /// 401: there is no valid token.
    Unauthenticated,
    /// 403: the token may not do this.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 409: the thing is not in a state for this.
    Conflict,
    /// 413: the upload is over a limit.
    TooLarge,
    /// 429: too many attempts; later.
    TooMany,
    /// 503: the server can not do this at present.
    Unavailable,
    /// 507: the server's disk is full.
    DiskFull,
    /// 500: our bug.
    Internal,
    /// A code of a newer server.
    #[serde(other)]
    Unknown,
}
