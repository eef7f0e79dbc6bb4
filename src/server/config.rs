//! An app's config: show and change it.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, EnvKey},
    ops::configure::{self, Configured},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api},
};

pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Config>, Failure> {
    let app = on_record(&api.store.snapshot(), &name.parse()?)?;
    let values = app.config.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    Ok(Json(api::Config { values }))
}

pub(super) async fn change(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::ConfigPatch>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let shown = app.to_string();
    let mut patch = BTreeMap::new();
    for (key, value) in body.values {
        patch.insert(key.parse::<EnvKey>()?, value);
    }
    let configured = api
        .store
        .transact(move |tx| configure::configure(tx, &app, &patch, &caller.actor, clock::now()))
        .await?;
    let change = api::Change { app: shown, ..Default::default() };
    Ok(Json(match configured {
        Configured::Unchanged => {
            api::Change { unchanged: Some("the config is like that already".to_owned()), ..change }
        }
        Configured::Kept => change,
        Configured::Released(release, rollout) => {
            api::Change { release: Some(release.to_string()), rollout: Some(rollout.0), ..change }
        }
    }))
}
