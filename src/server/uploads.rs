//! Receiving a source tree: a tar in the body becomes a folder under its build's number.
//!
//! The tree is unpacked under limits before anything is recorded; a refused or broken upload
//! leaves nothing behind.

use std::io;

use api::FaultCode;
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
};
use futures_util::TryStreamExt;

use crate::{
    build::{
        BuildFolders, names_an_image,
        unpack::{UnpackError, UnpackLimits, receive},
    },
    clock,
    model::AppName,
    ops::{
        create::existing,
        upload::{self, Meaning, Upload, Uploaded},
    },
    server::{caller::Caller, fault::Failure, state::Api},
};

/// A whole tree.
pub(super) async fn upload(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<api::Change>, Failure> {
    take(caller, api, name, (body, Form::Whole)).await
}

/// A tree that refers to files of the upload before it. If one of those is not there any more, the
/// answer is a conflict, and the whole has to be sent.
pub(super) async fn amend(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<api::Change>, Failure> {
    take(caller, api, name, (body, Form::Amended)).await
}

/// What an upload may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Amended,
}

async fn take(
    caller: Caller,
    api: Api,
    name: String,
    (body, form): (Body, Form),
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    existing(&api.store.snapshot(), &app)?;
    let folders = BuildFolders::new(&api.data);
    let unavailable = |error: io::Error| {
        Failure::new(FaultCode::Internal, format!("the upload could not be kept: {error}"))
    };
    let _turn = api.unpacking.acquire().await.map_err(|_| shutting_down())?;
    let incoming = folders.incoming(&app).map_err(unavailable)?;
    let body = body.into_data_stream().map_err(io::Error::other);
    let earlier = (form == Form::Amended).then(|| folders.uploads(&app));
    let source = receive(body, incoming.path().to_owned(), earlier, UnpackLimits::default())
        .await
        .map_err(|error| refused(&error))?;
    let meaning = if names_an_image(incoming.path()) { Meaning::Open } else { Meaning::Fixed };
    // The tree is in its place before there is a record of it: a crash in between leaves a folder
    // that nobody refers to, which is swept, and never a build without a source.
    incoming.keep(&source).map_err(unavailable)?;
    let received = Upload { digest: source.digest, bytes: source.bytes, meaning };
    crate::faults::point("upload.kept");
    let (actor, queued) = (caller.actor, app.clone());
    let uploaded = api
        .store
        .transact(move |tx| upload::upload(tx, &queued, &received, &actor, clock::now()))
        .await?;
    let change = api::Change { app: app.to_string(), ..Default::default() };
    Ok(Json(match uploaded {
        Uploaded::Queued(build) => api::Change { build: Some(build.0), ..change },
        Uploaded::Unchanged(release) => api::Change {
            release: Some(release.to_string()),
            unchanged: Some(format!("{release} is made of the same files already")),
            ..change
        },
    }))
}

fn refused(error: &UnpackError) -> Failure {
    let code = if error.is_disk_full() {
        FaultCode::DiskFull
    } else if error.is_too_large() {
        FaultCode::TooLarge
    } else if matches!(error, UnpackError::Lacking { .. }) {
        FaultCode::Conflict
    } else {
        FaultCode::Invalid
    };
    let failure = Failure::new(code, format!("the upload was refused: {error}"));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn shutting_down() -> Failure {
    Failure::new(FaultCode::Unavailable, "the server is shutting down")
}
