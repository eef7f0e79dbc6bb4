//! The execution environment: what the image is made for. We build for `production` only.

/// The value of `CNB_EXEC_ENV`.
pub(crate) const EXEC_ENV: &str = "production";

/// Whether something that is restricted to `listed` takes part; no list is no restriction.
pub(crate) fn takes_part(listed: &[String]) -> bool {
    listed.is_empty() || listed.iter().any(|name| name == EXEC_ENV || name == "*")
}
