//! Domains: list, add, look where they lead, remove.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    clock,
    model::{AppName, Domain, DomainName, PathPrefix, Zone},
    ops::{self, Refusal, domain::Wish},
    server::{
        caller::Caller,
        fault::Failure,
        state::{Api, LOOKUP},
        view::domain as view,
    },
    store::{Snapshot, View},
};

#[derive(Debug, Deserialize)]
pub(super) struct Whose {
    app: Option<String>,
}

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Query(Whose { app }): Query<Whose>,
) -> Result<Json<Vec<api::Domain>>, Failure> {
    let app: Option<AppName> = app.map(|app| app.parse()).transpose()?;
    let snapshot = api.store.snapshot();
    let mut domains = snapshot.scan::<Domain>(&())?;
    domains.retain(|domain| app.as_ref().is_none_or(|app| domain.app == *app));
    show_all(&api, &snapshot, &domains)
}

pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Domain>>, Failure> {
    let snapshot = api.store.snapshot();
    let domains = on_record(&snapshot, &name.parse()?)?;
    show_all(&api, &snapshot, &domains)
}

pub(super) async fn add(
    caller: Caller,
    State(api): State<Api>,
    Path(app): Path<String>,
    Json(body): Json<api::AddDomain>,
) -> Result<Json<api::Domain>, Failure> {
    let app: AppName = app.parse()?;
    let wish = Wish {
        name: body.name.parse()?,
        path: body.path.as_deref().unwrap_or("/").parse()?,
        strip: body.strip,
        moved_to: body.moved_to.map(|name| name.parse()).transpose()?,
    };
    let platform = api.reach.domain.clone();
    let domain = api
        .store
        .transact(move |tx| {
            ops::domain::add(tx, &app, wish, &platform, &caller.actor, clock::now())
        })
        .await?;
    look(&api, &domain.name).await;
    show_one(&api, &api.store.snapshot(), &domain).map(Json)
}

pub(super) async fn check(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Domain>>, Failure> {
    let name: DomainName = name.parse()?;
    on_record(&api.store.snapshot(), &name)?;
    look(&api, &name).await;
    let snapshot = api.store.snapshot();
    let domains = on_record(&snapshot, &name)?;
    show_all(&api, &snapshot, &domains)
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    path: Option<String>,
}

pub(super) async fn remove(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(Which { path }): Query<Which>,
) -> Result<Json<Vec<api::Domain>>, Failure> {
    let name: DomainName = name.parse()?;
    let path: Option<PathPrefix> = path.map(|path| path.parse()).transpose()?;
    let snapshot = api.store.snapshot();
    let removed = api
        .store
        .transact(move |tx| {
            ops::domain::remove(tx, &name, path.as_ref(), &caller.actor, clock::now())
        })
        .await?;
    show_all(&api, &snapshot, &removed)
}

fn on_record(snapshot: &Snapshot, name: &DomainName) -> Result<Vec<Domain>, Failure> {
    let domains = snapshot.scan::<Domain>(name.as_str())?;
    if domains.is_empty() {
        return Err(Refusal::not_found(format!("domain {name}"), "no app has it")
            .hint("`paas domains` lists what there is")
            .into());
    }
    Ok(domains)
}

/// Has the name looked up now. An answer that does not come in time comes to the record later.
async fn look(api: &Api, name: &DomainName) {
    let (answer, answered) = oneshot::channel();
    if api.lookups.try_send((name.clone(), answer)).is_ok() {
        timeout(LOOKUP, answered).await.ok();
    }
}

fn show_all(
    api: &Api,
    snapshot: &Snapshot,
    domains: &[Domain],
) -> Result<Json<Vec<api::Domain>>, Failure> {
    domains.iter().map(|domain| show_one(api, snapshot, domain)).collect::<Result<_, _>>().map(Json)
}

fn show_one(api: &Api, snapshot: &Snapshot, domain: &Domain) -> Result<api::Domain, Failure> {
    let zones = zones(api, snapshot)?;
    Ok(view::domain(domain, snapshot, &api.reach, &zones)?)
}

/// The zones that this server answers for.
fn zones(api: &Api, snapshot: &Snapshot) -> Result<Vec<String>, Failure> {
    if !api.reach.dns {
        return Ok(Vec::new());
    }
    let added = snapshot.scan::<Zone>(&())?;
    let mut zones: Vec<String> = added.iter().map(|zone| zone.name.to_string()).collect();
    zones.push(api.reach.domain.clone());
    Ok(zones)
}
