//! `docker push`: the pushing half of the OCI's distribution specification, at the API's own address. An
//! image that is pushed by a tag is deployed to the app of that name, as every upload is.
//!
//! In reading order: `told` (what is refused, in the specification's form), `uploads` (blobs that come),
//! `blobs` (those that are here), `manifests` (what makes an image of them, and deploys it). Absent on
//! purpose: giving images out.

mod blobs;
mod manifests;
mod told;
mod uploads;

use axum::{
    Json, Router,
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{any, get, head, post},
};
use serde_json::json;

use crate::{
    model::{Actor, AppName, BlobDigest},
    ops::create::existing,
    registry::Shelf,
    server::{fault::Failure, password, state::Api},
};
use told::{Code, Told};

/// What registries' clients ask for; it is no part of the API's document.
pub(super) fn routes() -> Router<Api> {
    let upload = get(uploads::show)
        .patch(uploads::add)
        .put(uploads::finish)
        .delete(uploads::cancel)
        .fallback(unsupported);
    Router::new()
        .route("/v2/", get(version))
        .route("/v2/{app}/blobs/uploads/", post(uploads::begin).fallback(unsupported))
        .route("/v2/{app}/blobs/uploads/{upload}", upload)
        .route("/v2/{app}/blobs/{digest}", head(blobs::head).fallback(unsupported))
        .route(
            "/v2/{app}/manifests/{reference}",
            head(manifests::head).put(manifests::take).fallback(unsupported),
        )
        .route("/v2/{app}/tags/list", any(unsupported))
}

/// Who pushes, proven.
#[derive(Debug)]
struct Client {
    actor: Actor,
}

impl FromRequestParts<Api> for Client {
    type Rejection = Told;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Told> {
        let nobody = Failure::new(api::FaultCode::Unauthenticated, "a token is needed")
            .hint("`docker login ADDRESS -u me`: any user, and the password is the token");
        Ok(Self { actor: password::actor(parts, api, nobody)? })
    }
}

/// The first question of every client: whether this is a registry, and who may use it.
async fn version(_: Client) -> Response {
    let version = HeaderName::from_static("docker-distribution-api-version");
    ([(version, HeaderValue::from_static("registry/2.0"))], Json(json!({}))).into_response()
}

/// What lies below `/v2/` and is none of ours: most often a name of several words.
pub(super) fn no_such_path() -> Response {
    Told::new(
        Code::NameUnknown,
        "an image's name is the app's here, one word and nothing before it",
    )
    .hint("`docker tag IMAGE ADDRESS/APP`, then `docker push ADDRESS/APP`")
    .into_response()
}

async fn unsupported(method: Method) -> Told {
    let what = match method {
        Method::GET | Method::HEAD => "images are taken here, and not given out",
        Method::DELETE => "nothing is deleted here: images go with the releases that need them",
        _ => "this is not done here",
    };
    Told::new(Code::Unsupported, what).hint(
        "`paas releases` lists what was deployed, `paas rollback` goes back; on the server, `docker \
         image ls` has the images",
    )
}

/// What was pushed to an app, by its name in the address.
fn shelf(api: &Api, name: &str) -> Result<(AppName, Shelf), Told> {
    let app: AppName = name.parse()?;
    if let Err(refusal) = existing(&api.store.snapshot(), &app) {
        let making = format!("`paas apps create {app}` makes it");
        return Err(Failure::from(refusal).instead(making).into());
    }
    let shelf = Shelf::of(&api.data, &app);
    Ok((app, shelf))
}

fn digest(text: &str) -> Result<BlobDigest, Told> {
    text.parse().map_err(|error| Told::new(Code::DigestInvalid, format!("{error}")))
}

/// Where something is, and what it is called.
fn named(location: String, digest: &BlobDigest) -> [(HeaderName, String); 2] {
    let content = HeaderName::from_static("docker-content-digest");
    [(header::LOCATION, location), (content, digest.to_string())]
}
