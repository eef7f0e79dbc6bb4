//! Blobs that come: in one request, in two, or piece by piece. One that broke off goes on where it ended.

use std::pin::pin;

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{
    Client, blobs, digest, named, shelf,
    told::{Code, Told, full},
};
use crate::{
    build::BuildFolders,
    model::BlobDigest,
    registry::{Arriving, Shelf, ShelfError, Span, UploadId},
    server::{patient::patient, state::Api},
};

/// What a client says of a blob that it begins or ends.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Said {
    /// What it is; with it the request brings the whole, or the rest.
    digest: Option<String>,
    /// A blob that another app should have, which then need not be sent.
    mount: Option<String>,
    /// That app.
    from: Option<String>,
}

pub(super) async fn begin(
    _: Client,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(said): Query<Said>,
    body: Body,
) -> Result<Response, Told> {
    let (_, own) = shelf(&api, &name)?;
    if let (Some(wanted), Some(from)) = (&said.mount, &said.from)
        && let (Ok(wanted), Ok((_, other))) = (digest(wanted), shelf(&api, from))
        && own.borrow(&other, &wanted)?
    {
        return Ok(kept(&name, &wanted));
    }
    has_room(&api)?;
    let id = own.begin()?;
    let Some(wanted) = said.digest else {
        return Ok((StatusCode::ACCEPTED, progress(&name, &id, 0)).into_response());
    };
    let wanted = digest(&wanted)?;
    let arriving = resumed(&own, &id)?;
    settle(pour(&api, arriving, body).await?, &wanted, own).await?;
    Ok(kept(&name, &wanted))
}

pub(super) async fn show(
    _: Client,
    State(api): State<Api>,
    Path((name, upload)): Path<(String, String)>,
) -> Result<Response, Told> {
    let (id, arriving) = held(&api, &name, &upload)?;
    let received = arriving.received();
    Ok((StatusCode::NO_CONTENT, progress(&name, &id, received)).into_response())
}

pub(super) async fn add(
    _: Client,
    State(api): State<Api>,
    Path((name, upload)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    let (id, arriving) = held(&api, &name, &upload)?;
    goes_on(&headers, &arriving)?;
    let received = pour(&api, arriving, body).await?.received();
    Ok((StatusCode::ACCEPTED, progress(&name, &id, received)).into_response())
}

pub(super) async fn finish(
    _: Client,
    State(api): State<Api>,
    Path((name, upload)): Path<(String, String)>,
    Query(said): Query<Said>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    let (_, own) = shelf(&api, &name)?;
    let wanted = digest(&said.digest.unwrap_or_default())?;
    let (_, arriving) = held(&api, &name, &upload)?;
    goes_on(&headers, &arriving)?;
    settle(pour(&api, arriving, body).await?, &wanted, own).await?;
    Ok(kept(&name, &wanted))
}

pub(super) async fn cancel(
    _: Client,
    State(api): State<Api>,
    Path((name, upload)): Path<(String, String)>,
) -> Result<StatusCode, Told> {
    let (_, arriving) = held(&api, &name, &upload)?;
    arriving.forget()?;
    Ok(StatusCode::NO_CONTENT)
}

/// An upload by its name in the address, for this request alone.
fn held(api: &Api, name: &str, upload: &str) -> Result<(UploadId, Arriving), Told> {
    let (_, own) = shelf(api, name)?;
    let id = upload.parse().map_err(|()| unknown())?;
    let arriving = resumed(&own, &id)?;
    Ok((id, arriving))
}

fn resumed(own: &Shelf, id: &UploadId) -> Result<Arriving, Told> {
    own.resume(id)?.ok_or_else(unknown)
}

fn unknown() -> Told {
    Told::new(
        Code::UploadUnknown,
        "there is no such upload: it ended, or was given up after an hour",
    )
    .hint("push again: `docker push`")
}

/// Refuses a piece that does not begin where the last one ended.
fn goes_on(headers: &HeaderMap, arriving: &Arriving) -> Result<(), Told> {
    let Some(range) = headers.get(header::CONTENT_RANGE) else { return Ok(()) };
    let span: Result<Span, _> = range.to_str().unwrap_or_default().parse();
    let span = span.map_err(|error| Told::new(Code::UploadInvalid, error.to_string()))?;
    if span.from == arriving.received() {
        return Ok(());
    }
    let (from, here) = (span.from, arriving.received());
    let what = format!("the piece begins at byte {from}, and {here} bytes are here");
    Err(Told::new(Code::OutOfOrder, what))
}

/// Adds what a request brings. What came before a line breaks stays, so that another request can go on.
async fn pour(api: &Api, mut arriving: Arriving, body: Body) -> Result<Arriving, Told> {
    let mut pieces = pin!(patient(body));
    let mut pending = Vec::new();
    loop {
        let piece = pieces.next().await.transpose();
        let goes_on = matches!(piece, Ok(Some(_)));
        if let Ok(Some(bytes)) = &piece {
            pending.extend_from_slice(bytes);
        }
        if pending.len() >= BATCH || !goes_on {
            has_room(api)?;
            arriving = write(arriving, std::mem::take(&mut pending)).await?;
        }
        match piece {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(arriving),
            Err(error) => {
                let what = format!("the upload broke off at byte {}: {error}", arriving.received());
                return Err(Told::new(Code::UploadInvalid, what));
            }
        }
    }
}

async fn write(mut arriving: Arriving, bytes: Vec<u8>) -> Result<Arriving, Told> {
    blocking(move || arriving.write(&bytes).map(|()| arriving)).await
}

async fn settle(arriving: Arriving, wanted: &BlobDigest, own: Shelf) -> Result<(), Told> {
    let wanted = wanted.clone();
    blocking(move || arriving.keep(&wanted, &own)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, Told> {
    let done = spawn_blocking(work).await;
    Ok(done.map_err(|error| Told::new(Code::Unknown, error.to_string()))??)
}

fn has_room(api: &Api) -> Result<(), Told> {
    if BuildFolders::new(&api.data).missing(api.intake.reserve) == 0 {
        return Ok(());
    }
    Err(full(format!("less than {} would stay free on the server's disk", api.intake.reserve)))
}

/// How far an upload is.
fn progress(app: &str, id: &UploadId, received: u64) -> [(HeaderName, String); 3] {
    let upload = HeaderName::from_static("docker-upload-uuid");
    [
        (header::LOCATION, format!("/v2/{app}/blobs/uploads/{id}")),
        (header::RANGE, Span::received(received).to_string()),
        (upload, id.to_string()),
    ]
}

fn kept(app: &str, digest: &BlobDigest) -> Response {
    (StatusCode::CREATED, named(blobs::place(app, digest), digest)).into_response()
}

/// Written at a time.
const BATCH: usize = 256 << 10;
