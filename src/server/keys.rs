//! Keys that users push with over SSH.

use api::FaultCode;
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{KeyName, SshKey},
    ops,
    server::{caller::Caller, fault::Failure, state::Api},
    ssh::PublicKey,
    store::View,
};

pub(super) async fn list(_: Caller, State(api): State<Api>) -> Result<Json<api::Keys>, Failure> {
    let mut keys: Vec<_> = api.store.snapshot().scan::<SshKey>(&())?.iter().map(show).collect();
    keys.sort_by(|one, two| one.name.cmp(&two.name));
    let host = api.ssh.as_ref().map(|ssh| api::SshHost {
        port: ssh.port,
        key: ssh.key.clone(),
        fingerprint: ssh.fingerprint.to_string(),
    });
    Ok(Json(api::Keys { keys, host }))
}

pub(super) async fn add(
    caller: Caller,
    State(api): State<Api>,
    Json(body): Json<api::AddKey>,
) -> Result<Json<api::Key>, Failure> {
    let read = PublicKey::read(&body.key).map_err(|error| {
        Failure::new(FaultCode::Invalid, format!("the key was not added: {error}"))
            .hint(error.hint())
    })?;
    let given: Option<KeyName> = body.name.map(|name| name.parse()).transpose()?;
    let name = ops::keys::name(given, &read.comment, &caller.actor)?;
    let (text, fingerprint) = (read.text, read.fingerprint);
    let key = SshKey { fingerprint, name, text, by: caller.actor, added_at: clock::now() };
    let key = api.store.transact(move |tx| ops::keys::add(tx, key)).await?;
    tracing::info!(name = %key.name, fingerprint = %key.fingerprint, by = %key.by, "an SSH key was added");
    Ok(Json(show(&key)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    key: String,
}

pub(super) async fn remove(
    caller: Caller,
    State(api): State<Api>,
    Query(which): Query<Which>,
) -> Result<Json<api::Key>, Failure> {
    let gone = api.store.transact(move |tx| ops::keys::remove(tx, &which.key)).await?;
    let by = caller.actor;
    tracing::info!(name = %gone.name, fingerprint = %gone.fingerprint, %by, "an SSH key was removed");
    Ok(Json(show(&gone)))
}

fn show(key: &SshKey) -> api::Key {
    api::Key {
        name: key.name.to_string(),
        kind: key.kind().to_owned(),
        fingerprint: key.fingerprint.to_string(),
        key: key.text.clone(),
        by: key.by.to_string(),
        added_at: key.added_at.to_string(),
    }
}
