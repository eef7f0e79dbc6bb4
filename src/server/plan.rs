//! What the files of a folder say, and what a deploy of it would change.

use axum::{
    Json,
    extract::{Path, State},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
};

use crate::{
    model::{
        AppName,
        manifest::{Declaration, SCHEMA},
    },
    ops::{Refusal, plan},
    server::{caller::Caller, fault::Failure, state::Api},
};

/// Of an app that need not exist yet.
pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::Declared>,
) -> Result<Json<api::Plan>, Failure> {
    let app: AppName = name.parse()?;
    let declared = Declaration::read(&body.files, &app).map_err(|error| {
        let refusal = Refusal::invalid(format!("what the folder says of {app}"), error.to_string());
        match error.hint() {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        }
    })?;
    let plan = plan::plan(&api.store.snapshot(), &app, &declared)?;
    let shown =
        |it: plan::Difference| api::Difference { setting: it.setting, from: it.from, to: it.to };
    Ok(Json(api::Plan {
        release: plan.release,
        changes: plan.changes.into_iter().map(shown).collect(),
        wins: plan.wins,
        lacks: plan.lacks.iter().map(ToString::to_string).collect(),
        remarks: declared.remarks,
    }))
}

/// The JSON Schema of `paas.toml`; it needs no token.
pub(super) async fn schema() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/schema+json")], SCHEMA)
}
