//! A commit is deployed: its files take the same way as an upload.

use axum::{
    Json,
    extract::{Path, Query, State},
};

use crate::{
    git::Contents,
    model::{Actor, AppName, Branch, Commit},
    ops::{Refusal, create::existing, upload::Uploaded},
    server::{
        caller::Caller,
        fault::Failure,
        state::Api,
        uploads::{Arrival, Order, accept, change},
    },
};

/// What is to be deployed.
pub(super) struct Wanted<'a> {
    pub(super) app: &'a AppName,
    pub(super) by: &'a Actor,
    pub(super) commit: Commit,
    pub(super) contents: &'a Contents,
    pub(super) order: Order,
}

/// Has it built, unless what runs is already made of it.
pub(super) async fn build(api: &Api, wanted: Wanted<'_>) -> Result<Uploaded, Failure> {
    let Wanted { app, by, commit, contents, order } = wanted;
    let what = || format!("commit {}", commit.called());
    if let Some(path) = contents.submodules().await?.first() {
        return Err(Refusal::invalid(
            what(),
            format!("{path} is a submodule, whose files git does not send"),
        )
        .hint(format!(
            "make its files the repository's own: `git rm --cached {path}`, `rm -r {path}/.git`, \
                 `git add {path}`; or deploy the folder: `paas deploy`"
        ))
        .into());
    }
    let tree = contents.archive()?;
    let arrival = Arrival { app, by, earlier: None, commit: Some(commit), pushed: None, order };
    accept(api, arrival, tree).await
}

/// `paas deploy --ref`: what was pushed before.
pub(in crate::server) async fn deploy(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(order): Query<Order>,
    Json(body): Json<api::DeployRef>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    existing(&api.store.snapshot(), &app)?;
    let asked: Branch = body.reference.parse()?;
    let repository = api.git.of(&app);
    let Some(commit) = repository.find(&asked).await? else {
        let refusal = Refusal::not_found(
            format!("`{asked}` of {app}"),
            "no branch, tag or commit of that name was pushed",
        );
        return Err(refusal
            .hint(format!("`paas git -a {app}` lists what was; `git push paas {asked}` brings it"))
            .into());
    };
    let contents = repository.contents(&commit.id);
    let wanted = Wanted { app: &app, by: &caller.actor, commit, contents: &contents, order };
    Ok(Json(change(&app, &build(&api, wanted).await?)))
}
