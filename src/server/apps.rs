//! Apps: list, create, show, scale, restart, destroy; their instances and events.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{App, AppName, Domain, Event, Observed, ProcessName, Release, Rollout},
    ops::{self, Refusal, create::existing, destroy::Remains, scale::Wish},
    server::{
        caller::Caller,
        fault::Failure,
        runs,
        state::Api,
        view::{self, AppView},
    },
    store::{Snapshot, StoreError, View},
};

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    destroyed: bool,
}

/// Those that are, or else those that were destroyed and can be brought back.
pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Query(Which { destroyed }): Query<Which>,
) -> Result<Json<Vec<api::App>>, Failure> {
    let snapshot = api.store.snapshot();
    let mut apps = snapshot.scan::<App>(&())?;
    apps.retain(|app| app.kept_until.is_some() == destroyed);
    let shown: Result<Vec<api::App>, Failure> =
        apps.iter().map(|app| describe(&api, &snapshot, app)).collect();
    Ok(Json(shown?))
}

pub(super) async fn create(
    caller: Caller,
    State(api): State<Api>,
    Json(body): Json<api::CreateApp>,
) -> Result<Json<api::App>, Failure> {
    let name: AppName = body.name.parse()?;
    let app = api
        .store
        .transact(move |tx| ops::create::create(tx, &name, &caller.actor, clock::now()))
        .await?;
    Ok(Json(describe(&api, &api.store.snapshot(), &app)?))
}

pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::App>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    Ok(Json(describe(&api, &snapshot, &app)?))
}

#[derive(Debug, Deserialize)]
pub(super) struct Confirmation {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    now: bool,
}

pub(super) async fn destroy(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(confirmation): Query<Confirmation>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let keep = api.retention.undelete_for.filter(|_| !confirmation.now);
    let remains = keep.map_or(Remains::Nothing, Remains::KeptFor);
    api.store
        .transact(move |tx| {
            let how = (confirmation.confirm.as_str(), remains);
            ops::destroy::destroy(tx, &app, how, &caller.actor, clock::now())
        })
        .await?;
    Ok(Json(api::Change { app: shown, ..Default::default() }))
}

pub(super) async fn undelete(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::App>, Failure> {
    let name: AppName = name.parse()?;
    let app = api
        .store
        .transact(move |tx| ops::destroy::undelete(tx, &name, &caller.actor, clock::now()))
        .await?;
    Ok(Json(describe(&api, &api.store.snapshot(), &app)?))
}

pub(super) async fn scale(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::Scale>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let mut wishes = BTreeMap::new();
    for (process, wish) in &body.processes {
        wishes.insert(process.parse::<ProcessName>()?, Wish::parse(wish)?);
    }
    let before = on_record(&api.store.snapshot(), &app)?;
    let after = api
        .store
        .transact(move |tx| ops::scale::scale(tx, &app, &wishes, &caller.actor, clock::now()))
        .await?;
    let unchanged = (before.generation == after.generation)
        .then(|| "that many instances are wanted already".to_owned());
    Ok(Json(api::Change {
        app: after.name.to_string(),
        release: after.current.map(|current| current.release.to_string()),
        unchanged,
        ..Default::default()
    }))
}

pub(super) async fn restart(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let (release, rollout) = api
        .store
        .transact(move |tx| ops::restart::restart(tx, &app, &caller.actor, clock::now()))
        .await?;
    Ok(Json(api::Change {
        app: shown,
        release: Some(release.to_string()),
        rollout: Some(rollout.0),
        ..Default::default()
    }))
}

pub(super) async fn maintenance(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::SetMaintenance>,
) -> Result<Json<api::App>, Failure> {
    let name: AppName = name.parse()?;
    let app = api
        .store
        .transact(move |tx| {
            let (by, now) = (&caller.actor, clock::now());
            if body.on {
                let message = body.message.unwrap_or_default();
                ops::maintenance::on(tx, &name, &message, by, now)
            } else {
                ops::maintenance::off(tx, &name, by, now)
            }
        })
        .await?;
    Ok(Json(describe(&api, &api.store.snapshot(), &app)?))
}

pub(super) async fn protect(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::SetProtection>,
) -> Result<Json<api::App>, Failure> {
    let name: AppName = name.parse()?;
    let app = api
        .store
        .transact(move |tx| {
            let (by, now) = (&caller.actor, clock::now());
            if body.on {
                ops::protect::protect(tx, &name, by, now)
            } else {
                ops::protect::unprotect(tx, &name, by, now)
            }
        })
        .await?;
    Ok(Json(describe(&api, &api.store.snapshot(), &app)?))
}

pub(super) async fn instances(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Instance>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let observation = api.observed().await;
    let rollout = match app.rollout {
        Some(number) => {
            snapshot.get::<Rollout>(&(app.name.as_str().to_owned(), number.0.into()))?
        }
        None => None,
    };
    let mut shown = Vec::new();
    for observed in observation.apps.get(&app.name).map_or(&[][..], Vec::as_slice) {
        let release = release_of(&snapshot, &app, observed)?;
        let id = &observed.instance.id;
        let company = view::Company {
            release: release.as_ref(),
            rollout: rollout.as_ref(),
            node: &api.node,
            waiting: observation.waiting.get(id).copied(),
            lingering: observation.lingering.get(id).copied(),
            doubt: observation.doubts.get(id),
        };
        shown.push(view::instance(observed, company));
    }
    let pending = observation.pending.get(&app.name).map_or(&[][..], Vec::as_slice);
    shown.extend(pending.iter().map(view::pending));
    for run in ops::run::by_age(&snapshot, &app.name)?.iter().filter(|run| !run.is_over()) {
        let key = (app.name.as_str().to_owned(), u64::from(run.release.0));
        let release = snapshot.get::<Release>(&key)?;
        let process = release.as_ref().and_then(|release| release.processes.get(&run.process));
        let limit = process.map_or(0, |process| process.limits.memory.0);
        shown.push(runs::as_instance(run, limit, &api.node));
    }
    Ok(Json(shown))
}

#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

pub(super) async fn events(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Result<Json<Vec<api::Event>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let events = snapshot.latest::<Event>(app.name.as_str(), limit.unwrap_or(50).min(1000))?;
    Ok(Json(events.iter().map(view::event).collect()))
}

/// The app's record, even if the app is on its way out: whoever watches wants to see that.
pub(super) fn on_record(snapshot: &Snapshot, name: &AppName) -> Result<App, Failure> {
    match existing(snapshot, name) {
        Ok(app) => Ok(app),
        Err(refusal) => match snapshot.get::<App>(&name.as_str().to_owned())? {
            Some(app) => Ok(app),
            None => Err(refusal.into()),
        },
    }
}

pub(super) fn release_of(
    snapshot: &Snapshot,
    app: &App,
    observed: &Observed,
) -> Result<Option<Release>, Failure> {
    let version = u64::from(observed.instance.incarnation.release.0);
    Ok(snapshot.get::<Release>(&(app.name.as_str().to_owned(), version))?)
}

fn describe(api: &Api, snapshot: &Snapshot, app: &App) -> Result<api::App, Failure> {
    let key = app.name.as_str().to_owned();
    let serving = match app.current {
        Some(current) => snapshot.get::<Release>(&(key.clone(), current.release.0.into()))?,
        None => None,
    };
    let last_rollout = snapshot.get::<Rollout>(&(key, app.last_rollout.0.into()))?;
    let observation = api.observation.borrow().clone();
    let view = AppView {
        app,
        serving: serving.as_ref(),
        last_rollout: last_rollout.as_ref(),
        seen: observation.apps.get(&app.name).map_or(&[][..], Vec::as_slice),
        engine_fault: observation.engine_fault.as_deref(),
        urls: if serving.as_ref().is_some_and(|release| release.deploy.private.only) {
            Vec::new()
        } else {
            urls(api, snapshot, &app.name)?
        },
    };
    Ok(view.to_api())
}

/// Where an app answers: by its name, and by the names that it was given.
pub(super) fn urls(
    api: &Api,
    snapshot: &Snapshot,
    app: &AppName,
) -> Result<Vec<String>, StoreError> {
    let mut urls = vec![view::domain::app_url(snapshot, &api.reach, app)?];
    for domain in snapshot.scan::<Domain>(&())? {
        if domain.app == *app && domain.moved_to.is_none() && !domain.name.is_wildcard() {
            urls.push(view::domain::domain_url(snapshot, &api.reach, &domain)?);
        }
    }
    Ok(urls)
}

/// A path segment or a query that should have been a number.
pub(super) fn number(text: &str, what: &str) -> Result<u32, Failure> {
    text.parse().map_err(|_| Refusal::invalid(what, format!("`{text}` is not a number")).into())
}
