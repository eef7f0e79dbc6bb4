//! `git push`, `git fetch` and `git clone` over HTTP (gitprotocol-http) and over SSH, and what the API
//! says of what was pushed.
//!
//! In reading order: `pusher` (who it is), `body` (what comes), `push` (what becomes of it), `wait` (for
//! others), `newest` (before others), `remarks` (what is said about it), `deploy` (a commit is deployed),
//! `kept` (what there is), `pinned` (what stays), `line` (the same over SSH).

mod body;
pub(super) mod deploy;
pub(super) mod kept;
mod line;
mod newest;
pub(super) mod pinned;
mod push;
mod pusher;
mod remarks;
mod wait;

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    git::{Behind, Commands, Repository, Voice, upload_pack},
    model::AppName,
    ops::create::existing,
    server::{fault::Failure, state::Api},
};
pub use line::{answer_over_ssh, whose_keys};
use push::Push;
use pusher::{Pusher, Told};

/// What git asks for; it is no part of the API's document.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/git/{repository}/info/refs", get(advertise))
        .route("/git/{repository}/git-receive-pack", post(receive))
        .route("/git/{repository}/git-upload-pack", post(give))
}

#[derive(Debug, Deserialize)]
struct Service {
    #[serde(default)]
    service: String,
}

/// The first question of every push and fetch: which refs there are.
async fn advertise(
    _: Pusher,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(asked): Query<Service>,
    headers: HeaderMap,
) -> Result<Response, Told> {
    let (_, repository) = find(&api, &name)?;
    match asked.service.as_str() {
        "git-receive-pack" => {
            repository.make().await?;
            let refs = repository.refs().await?.advertise_over_http();
            Ok(answer("application/x-git-receive-pack-advertisement", Body::from(refs)))
        }
        "git-upload-pack" => {
            repository.make().await?;
            let there = upload_pack(&repository, None, protocol(&headers))?;
            let body = Body::from_stream(there);
            Ok(answer("application/x-git-upload-pack-advertisement", body))
        }
        _ => Err(Failure::new(
            api::FaultCode::Forbidden,
            "only git's smart protocol is spoken, for `git push`, `git fetch` and `git clone`",
        )
        .into()),
    }
}

/// A push. It is answered once all of it is here; what it leads to is told as it happens, and goes on
/// if nobody listens.
async fn receive(
    pusher: Pusher,
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    let (app, repository) = find(&api, &name)?;
    body::is_from_git(&headers, "application/x-git-receive-pack-request")?;
    let mut input = body::reader(&headers, body)?;
    let commands = Commands::read(&mut input).await.map_err(|error| body::malformed(&error))?;
    let (line, told) = mpsc::channel(PENDING);
    if !commands.updates.is_empty() {
        let voice = Voice::new(line, commands.abilities);
        let by = pusher.actor;
        let push = Push { api, by, app, repository, commands, voice, behind: Behind::End };
        let (pack, read) = body::rest(input);
        tokio::spawn(push.run(pack));
        // The end of the pack is noticed by its being let go.
        read.await.ok();
    }
    Ok(answer("application/x-git-receive-pack-result", Body::from_stream(all(told))))
}

/// A fetch: what a client lacks of what was pushed.
async fn give(
    _: Pusher,
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    let (_, repository) = find(&api, &name)?;
    body::is_from_git(&headers, "application/x-git-upload-pack-request")?;
    let request = body::whole(&headers, body).await?;
    let given = upload_pack(&repository, Some(request), protocol(&headers))?;
    Ok(answer("application/x-git-upload-pack-result", Body::from_stream(given)))
}

/// The repository of an app, by the name in the address: `hello.git` or `hello`.
fn find(api: &Api, name: &str) -> Result<(AppName, Repository), Failure> {
    let app: AppName = name.strip_suffix(".git").unwrap_or(name).parse()?;
    match existing(&api.store.snapshot(), &app) {
        Ok(_) => Ok((app.clone(), api.git.of(&app))),
        Err(refusal) => {
            let making = format!("`paas apps create {app}` makes it, `paas launch` does it all");
            Err(Failure::from(refusal).instead(making))
        }
    }
}

/// The version of the protocol that a client speaks, if it is one that there is.
fn protocol(headers: &HeaderMap) -> Option<&'static str> {
    match headers.get("git-protocol")?.to_str().ok()? {
        "version=2" => Some("version=2"),
        "version=1" => Some("version=1"),
        _ => None,
    }
}

fn answer(kind: &'static str, body: Body) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache, max-age=0")];
    (headers, body).into_response()
}

fn all(told: mpsc::Receiver<Bytes>) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(told, |mut told| async move { told.recv().await.map(|bytes| (bytes, told)) })
        .map(Ok)
}

/// Lines that wait for a slow reader.
const PENDING: usize = 256;
