//! What instances wrote.

use serde::{Deserialize, Serialize};

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// When the engine read it.
    pub at: String,
    /// For example `web.1`; `paas` for a remark of the platform, such as lines that were missed.
    pub source: String,
    /// For example `v12`.
    pub release: String,
    /// `out` or `err`.
    pub stream: String,
    /// The line.
    pub text: String,
}

/// Which lines. Sent as query parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams, utoipa::ToSchema))]
pub struct LogQuery {
    /// So many of the last lines; 100 if absent, 10,000 at most.
    pub lines: Option<u32>,
    /// Go on with new lines.
    pub follow: Option<bool>,
    /// A process (`web`) or an instance (`web.1`).
    pub process: Option<String>,
    /// From this RFC 3339 time on.
    pub since: Option<String>,
    /// To this RFC 3339 time.
    pub until: Option<String>,
    /// Lines that contain this text.
    pub grep: Option<String>,
    /// A release, for example `v12`.
    pub release: Option<String>,
}
