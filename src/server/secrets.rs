//! An app's secrets: list them without their values, and change them. There is no way to read one.
//! Also the key that they and all other secrets are sealed with.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{AppName, EnvKey, SecretValue},
    ops::{
        Refusal, rotate,
        secrets::{self, Wish},
    },
    server::{
        apps::on_record,
        caller::Caller,
        config::{changed, when},
        fault::Failure,
        state::Api,
    },
    store::secrets::named,
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Secret>>, Failure> {
    let snapshot = api.store.snapshot();
    let app = on_record(&snapshot, &name.parse()?)?;
    let secrets = named(&snapshot, &app.name, &app.secrets)?.into_iter();
    let shown = secrets.map(|secret| api::Secret {
        name: secret.name.to_string(),
        digest: secret.digest,
        set_at: secret.set_at.to_string(),
        by: secret.by.to_string(),
    });
    Ok(Json(shown.collect()))
}

pub(super) async fn change(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::SecretsPatch>,
) -> Result<Json<api::Change>, Failure> {
    let app: AppName = name.parse()?;
    let (shown, when) = (app.to_string(), when(body.stage));
    let mut wishes = BTreeMap::new();
    for (key, value) in body.values {
        let wish = value.map_or(Wish::Unset, |value| Wish::Set(SecretValue::new(value)));
        wishes.insert(key.parse::<EnvKey>()?, wish);
    }
    for key in body.from_config {
        wishes.insert(key.parse::<EnvKey>()?, Wish::FromConfig);
    }
    let sealing = api.sealing.clone();
    let configured = api
        .store
        .transact(move |tx| {
            let how = (when, &caller.actor, clock::now());
            secrets::change(tx, &sealing, &app, &wishes, how)
        })
        .await?;
    Ok(Json(changed(shown, &configured)))
}

pub(super) async fn rotate(
    caller: Caller,
    State(api): State<Api>,
) -> Result<Json<api::Rotation>, Failure> {
    if !api.council.members().is_empty() {
        let why = "several machines have it, and would not open what is sealed with another";
        return Err(Refusal::conflict("the sealing key was not replaced", why)
            .hint("`paas nodes demote` those that keep the records beside this one first")
            .into());
    }
    let records = rotate::rotate(&api.store, &api.sealing, &caller.actor, clock::now()).await?;
    Ok(Json(api::Rotation { records: u64::try_from(records).unwrap_or(u64::MAX) }))
}
