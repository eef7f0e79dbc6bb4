//! Whether a blob is here, and need not be sent. That it is not is the usual answer, and no refusal.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Client, digest, named, shelf, told::Told};
use crate::{model::BlobDigest, server::state::Api};

pub(super) async fn head(
    _: Client,
    State(api): State<Api>,
    Path((name, wanted)): Path<(String, String)>,
) -> Result<Response, Told> {
    let ((_, own), digest) = (shelf(&api, &name)?, digest(&wanted)?);
    let Some(size) = own.size(&digest)? else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let length = [(header::CONTENT_LENGTH, size.to_string())];
    Ok((length, named(place(&name, &digest), &digest)).into_response())
}

/// Where a blob of an app is.
pub(super) fn place(app: &str, digest: &BlobDigest) -> String {
    format!("/v2/{app}/blobs/{digest}")
}
