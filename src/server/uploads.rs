//! Receiving a source tree: a tar in the body becomes a folder under its build's number.
//!
//! The tree is unpacked under limits before anything is recorded; a refused or broken upload
//! leaves nothing behind.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use api::FaultCode;
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{self, Query, State},
};
use futures_util::Stream;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::{
    build::{
        BuildFolders, Parts, Preface, preface,
        unpack::{Source, UnpackError, UnpackLimits, receive, unpack_release},
    },
    clock,
    model::{Actor, AppName, Commit, Pushed, Queueing},
    ops::{
        create::existing,
        upload::{self, Meaning, Upload, Uploaded},
    },
    server::{caller::Caller, fault::Failure, patient::patient, state::Api},
};

/// A whole tree.
pub(super) async fn upload(
    caller: Caller,
    State(api): State<Api>,
    extract::Path(name): extract::Path<String>,
    Query(order): Query<Order>,
    body: Body,
) -> Result<Json<api::Change>, Failure> {
    take(caller, api, name, (body, None, order)).await
}

/// A tree that refers to files of the upload before it. If one of those is not there any more, the
/// answer is a conflict, and the whole has to be sent.
pub(super) async fn amend(
    caller: Caller,
    State(api): State<Api>,
    extract::Path(name): extract::Path<String>,
    Query(order): Query<Order>,
    body: Body,
) -> Result<Json<api::Change>, Failure> {
    let earlier = BuildFolders::new(&api.data).uploads(&name.parse()?);
    take(caller, api, name, (body, Some(earlier), order)).await
}

async fn take(
    caller: Caller,
    api: Api,
    name: String,
    (body, earlier, order): (Body, Option<PathBuf>, Order),
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    existing(&api.store.snapshot(), &app)?;
    let tree = patient(body);
    let by = &caller.actor;
    let arrival = Arrival { app: &app, by, earlier, commit: None, pushed: None, order };
    Ok(Json(change(&app, &accept(&api, arrival, tree).await?)))
}

/// A tree on its way.
pub(super) struct Arrival<'a> {
    pub(super) app: &'a AppName,
    pub(super) by: &'a Actor,
    /// Where the upload is that it may refer to.
    pub(super) earlier: Option<PathBuf>,
    /// What git calls it.
    pub(super) commit: Option<Commit>,
    /// What a registry's client calls it.
    pub(super) pushed: Option<Pushed>,
    /// What is said of this one deploy.
    pub(super) order: Order,
}

/// What a request says of the queue of builds; what it does not say, the manifest may.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Order {
    /// Builds of the app that have not ended are cancelled.
    #[serde(default)]
    newest: bool,
}

impl Order {
    fn queueing(self, manifest: Queueing) -> Queueing {
        if self.newest { Queueing::Newest } else { manifest }
    }
}

/// Unpacks a tree and has it built, unless what runs is already made of it.
pub(super) async fn accept(
    api: &Api,
    arrival: Arrival<'_>,
    tree: impl Stream<Item = io::Result<Bytes>> + Send,
) -> Result<Uploaded, Failure> {
    let earlier = arrival.earlier.clone();
    let unpack = async |into| receive(tree, into, earlier, UnpackLimits::default()).await;
    settle(api, arrival, unpack).await
}

/// The same of an archive that is here already, and may have its tree in a folder.
pub(super) async fn accept_file(
    api: &Api,
    arrival: Arrival<'_>,
    file: File,
) -> Result<Uploaded, Failure> {
    let unpack = async |into: PathBuf| {
        let limits = UnpackLimits::default();
        let unpacking = spawn_blocking(move || unpack_release(&file, &into, &limits));
        unpacking.await.map_err(|error| UnpackError::Body(io::Error::other(error)))?
    };
    settle(api, arrival, unpack).await
}

/// The same of an image whose blobs are in the folder `from`.
pub(super) async fn accept_image(
    api: &Api,
    arrival: Arrival<'_>,
    parts: Parts,
    from: &Path,
) -> Result<Uploaded, Failure> {
    settle(api, arrival, async |into: PathBuf| parts.lay_out(from, &into)).await
}

async fn settle(
    api: &Api,
    arrival: Arrival<'_>,
    unpack: impl AsyncFnOnce(PathBuf) -> Result<Source, UnpackError>,
) -> Result<Uploaded, Failure> {
    let Arrival { app, by, commit, pushed, order, .. } = arrival;
    let folders = BuildFolders::new(&api.data);
    let unavailable = |error: io::Error| {
        Failure::new(FaultCode::Internal, format!("the upload could not be kept: {error}"))
    };
    let _turn = api.intake.unpacking.acquire().await.map_err(|_| shutting_down())?;
    let incoming = folders.incoming(app).map_err(unavailable)?;
    let source = unpack(incoming.path().to_owned()).await.map_err(|error| refused(&error))?;
    let Preface { names_an_image, queueing } = preface(incoming.path(), app);
    let meaning = if names_an_image { Meaning::Open } else { Meaning::Fixed };
    let queueing = order.queueing(queueing);
    // The tree is in its place before there is a record of it: a crash in between leaves a folder
    // that nobody refers to, which is swept, and never a build without a source.
    incoming.keep(&source).map_err(unavailable)?;
    let (digest, bytes) = (source.digest, source.bytes);
    let received = Upload { digest, bytes, meaning, commit, pushed, queueing };
    crate::faults::point("upload.kept");
    let (actor, queued) = (by.clone(), app.clone());
    let uploaded = api
        .store
        .transact(move |tx| upload::upload(tx, &queued, &received, &actor, clock::now()))
        .await?;
    Ok(uploaded)
}

/// What came of it, as the API tells it.
pub(super) fn change(app: &AppName, uploaded: &Uploaded) -> api::Change {
    let change = api::Change { app: app.to_string(), ..Default::default() };
    match uploaded {
        Uploaded::Queued(build) => api::Change { build: Some(build.0), ..change },
        Uploaded::Unchanged(release) => api::Change {
            release: Some(release.to_string()),
            unchanged: Some(format!("{release} is made of the same files already")),
            ..change
        },
    }
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
