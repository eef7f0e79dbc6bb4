//! Files of a running instance: a tar out, a tar in.

use api::FaultCode;
use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use crate::{
    clock,
    model::{Actor, AppName, Instance},
    node::consoles::ConsoleError,
    ops,
    server::{
        apps::on_record, caller::Caller, fault::Failure, patient::patient,
        sessions::exec::who_tells, state::Api,
    },
};

/// Which files.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    /// As for `exec`.
    instance: Option<String>,
    /// From the root of the instance.
    path: String,
}

/// Where that is.
struct Found {
    app: AppName,
    instance: Instance,
}

/// What is at a path: one file, or a folder with all that is in it.
pub(super) async fn get(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(place): Query<Place>,
) -> Result<Response<Body>, Failure> {
    let found = find(&api, &name, &place).await?;
    let consoles = &api.sessions.consoles();
    let mut tar =
        consoles.files(&found.instance, &place.path).map_err(|e| refused(&found, &place, &e))?;
    // What Docker refuses, it refuses before the first byte.
    let first = tar.next().await.transpose().map_err(|e| refused(&found, &place, &e))?;
    let text = format!("{} was copied out of {}", place.path, found.instance.slot);
    tell(&api, found.app, text, caller.actor).await?;
    let rest = tar.map_err(|error| std::io::Error::other(error.to_string()));
    let all = stream::iter(first.map(Ok)).chain(rest);
    let mut response = Response::new(Body::from_stream(all));
    let kind = HeaderValue::from_static("application/x-tar");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Unpacks a tar, gzip or plain, into a folder that is there.
pub(super) async fn put(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(place): Query<Place>,
    body: Body,
) -> Result<Json<api::Change>, Failure> {
    let found = find(&api, &name, &place).await?;
    let tar = patient(body).boxed();
    let consoles = &api.sessions.consoles();
    let done = consoles.put_files(&found.instance, &place.path, tar).await;
    done.map_err(|e| refused(&found, &place, &e))?;
    let text = format!("files were copied into {} of {}", place.path, found.instance.slot);
    let shown = found.app.to_string();
    tell(&api, found.app, text, caller.actor).await?;
    Ok(Json(api::Change { app: shown, ..Default::default() }))
}

async fn find(api: &Api, name: &str, place: &Place) -> Result<Found, Failure> {
    let app: AppName = name.parse()?;
    on_record(&api.store.snapshot(), &app)?;
    if !place.path.starts_with('/') || place.path.contains('\0') {
        let why = format!("`{}` is not a path from the root", place.path);
        return Err(Failure::new(FaultCode::Invalid, why)
            .hint("begin it with a slash: `paas cp web.1:/workspace/file .`"));
    }
    let seen = api.instances_of(&app).await?;
    let instance = &ops::exec::choose(&app, &seen, place.instance.as_deref())?.instance;
    Ok(Found { instance: instance.clone(), app })
}

async fn tell(api: &Api, app: AppName, text: String, by: Actor) -> Result<(), Failure> {
    let tell = move |tx: &mut crate::store::Transaction<'_>| {
        ops::exec::copied(tx, &app, text, &by, clock::now())
    };
    Ok(api.store.transact(tell).await?)
}

fn refused(found: &Found, place: &Place, error: &ConsoleError) -> Failure {
    let (slot, path) = (&found.instance.slot, &place.path);
    match error {
        ConsoleError::Gone => Failure::new(FaultCode::NotFound, format!("{slot} has no {path}"))
            .hint(format!("`paas exec {slot} -- ls -la /` shows what it has")),
        ConsoleError::NoEngine
        | ConsoleError::Away { .. }
        | ConsoleError::Closed(_)
        | ConsoleError::Handout(_)
        | ConsoleError::Engine(_) => {
            let what = format!("{path} of {slot} cannot be copied: {error}");
            Failure::new(FaultCode::Unavailable, what).hint(who_tells(error))
        }
    }
}
