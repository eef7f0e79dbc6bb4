//! An app's config: show and change it, and release or drop what is staged.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, EnvKey},
    ops::{
        configure,
        pending::{self, Configured, Pending, When},
    },
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api},
};

pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Config>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let pending = pending::base(&snapshot, &app)?.map(|base| Pending::of(&app, &base));
    let Pending { set, unset } = pending.unwrap_or_default();
    let mut staged: Vec<String> = set.into_iter().chain(unset).map(|key| key.to_string()).collect();
    staged.sort_unstable();
    let values = app.config.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    Ok(Json(api::Config { values, staged }))
}

pub(super) async fn change(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::ConfigPatch>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let (shown, when) = (app.to_string(), when(body.stage));
    let mut patch = BTreeMap::new();
    for (key, value) in body.values {
        patch.insert(key.parse::<EnvKey>()?, value);
    }
    let configured = api
        .store
        .transact(move |tx| {
            configure::configure(tx, &app, &patch, when, (&caller.actor, clock::now()))
        })
        .await?;
    Ok(Json(changed(shown, &configured)))
}

pub(super) async fn apply(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let configured =
        api.store.transact(move |tx| pending::apply(tx, &app, &caller.actor, clock::now())).await?;
    Ok(Json(match configured {
        Configured::Unchanged => api::Change {
            unchanged: Some("nothing is staged".to_owned()),
            ..changed(shown, &configured)
        },
        _ => changed(shown, &configured),
    }))
}

pub(super) async fn discard(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let before = on_record(&api.store.snapshot(), &app)?.generation;
    let name = app.clone();
    api.store.transact(move |tx| pending::discard(tx, &app, &caller.actor, clock::now())).await?;
    let same = on_record(&api.store.snapshot(), &name)?.generation == before;
    let unchanged = same.then(|| "nothing is staged".to_owned());
    Ok(Json(api::Change { app: shown, unchanged, ..Default::default() }))
}

/// The wire's word for it.
pub(super) fn when(stage: bool) -> When {
    if stage { When::Later } else { When::Now }
}

/// What a change of config or secrets led to.
pub(super) fn changed(app: String, configured: &Configured) -> api::Change {
    let change = api::Change { app, ..Default::default() };
    match configured {
        Configured::Unchanged => {
            api::Change { unchanged: Some("it is like that already".to_owned()), ..change }
        }
        Configured::Kept => change,
        Configured::Staged => api::Change { staged: true, ..change },
        Configured::Released(release, rollout) => {
            api::Change { release: Some(release.to_string()), rollout: Some(rollout.0), ..change }
        }
    }
}
