//! A source that the server fetches by itself.

use std::io;

use api::FaultCode;
use axum::{
    Json,
    extract::{Path, Query, State},
};

use crate::{
    build::fetched::{FetchError, Wanted},
    model::AppName,
    ops::create::existing,
    server::{
        caller::Caller,
        fault::Failure,
        state::Api,
        uploads::{Arrival, Order, accept_file, change},
    },
    telemetry::chain,
};

pub(super) async fn deploy(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(order): Query<Order>,
    Json(body): Json<api::DeployUrl>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    existing(&api.store.snapshot(), &app)?;
    let invalid = |what: String| Failure::new(FaultCode::Invalid, what);
    let link = body.url.parse().map_err(|error| {
        invalid(format!("nothing was fetched: {error}"))
            .hint(format!("`paas deploy --url https://HOST/app.tar.gz -a {app}`"))
    })?;
    let digits = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if body.sha256.as_ref().is_some_and(|sha256| !digits(sha256)) {
        return Err(invalid("a SHA-256 has 64 hexadecimal digits".to_owned())
            .hint("`sha256sum app.tar.gz` tells a file's"));
    }
    let wanted = Wanted { link, sha256: body.sha256 };
    tracing::info!(%app, by = %caller.actor, from = ?wanted.link, "fetching a source");
    let file = api.fetcher.fetch(wanted).await.map_err(|error| refused(&error))?;
    let by = &caller.actor;
    let arrival = Arrival { app: &app, by, earlier: None, commit: None, pushed: None, order };
    Ok(Json(change(&app, &accept_file(&api, arrival, file).await?)))
}

fn refused(error: &FetchError) -> Failure {
    let code = match error {
        FetchError::TooLarge { .. } => FaultCode::TooLarge,
        FetchError::Kept(source) if source.kind() == io::ErrorKind::StorageFull => {
            FaultCode::DiskFull
        }
        FetchError::Kept(_) => FaultCode::Internal,
        FetchError::Gone => FaultCode::Unavailable,
        _ => FaultCode::Invalid,
    };
    let failure = Failure::new(code, format!("nothing was fetched: {}", chain(error)));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
