//! What was pushed to an app, and which branch of it is deployed.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    git::deployed_branch,
    model::{App, AppName, Branch},
    ops::{self, create::existing},
    server::{caller::Caller, fault::Failure, state::Api},
};

pub(in crate::server) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Git>, Failure> {
    let app = existing(&api.store.snapshot(), &name.parse()?)?;
    Ok(Json(describe(&api, &app).await?))
}

pub(in crate::server) async fn choose(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::SetBranch>,
) -> Result<Json<api::Git>, Failure> {
    let name: AppName = name.parse()?;
    let branch: Branch = body.branch.parse()?;
    let (app, chosen) = (name.clone(), branch.clone());
    let app = api
        .store
        .transact(move |tx| ops::branch::choose(tx, &app, &chosen, &caller.actor, clock::now()))
        .await?;
    let repository = api.git.of(&name);
    if repository.exists() {
        repository.point_at(&branch).await?;
    }
    Ok(Json(describe(&api, &app).await?))
}

async fn describe(api: &Api, app: &App) -> Result<api::Git, Failure> {
    let refs = api.git.of(&app.name).refs().await?;
    let show = |(name, id): (&crate::model::RefName, &crate::model::CommitId)| api::GitRef {
        name: name.called().to_owned(),
        kind: if name.branch().is_some() { "branch" } else { "tag" }.to_owned(),
        object: id.to_string(),
    };
    Ok(api::Git {
        path: format!("/git/{}.git", app.name),
        branch: deployed_branch(app.branch.as_ref(), &refs, &[]).to_string(),
        refs: refs.all().map(show).collect(),
    })
}
