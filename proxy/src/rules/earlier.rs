//! What may be asked of those that answered earlier: files by their paths, with nothing but a look.
//!
//! A path that another program could read as leading elsewhere is no path of a file: an earlier release
//! must not be made to answer for what is not declared.

use crate::body::Body;
use crate::request::Request;
use crate::rules::forwarding::as_forwarded;
use crate::target::is_ambiguous;
use crate::venue::Way;

/// Whether others may be asked for what is not found.
pub(crate) fn may_ask_earlier(way: &Way, request: &Request) -> bool {
    let Some(earlier) = &way.target.service.earlier else { return false };
    let path = as_forwarded(way, &request.path);
    matches!(&*request.method, "GET" | "HEAD")
        && request.body == Body::EMPTY
        && request.upgrade.is_none()
        && earlier.prefixes.iter().any(|prefix| path.starts_with(&**prefix))
        && !is_ambiguous(path)
}
