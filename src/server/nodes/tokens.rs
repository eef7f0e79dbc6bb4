//! Join tokens: make one, list them, take one back.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{JoinToken, JoinWord, Timestamp, TokenId, TokenLife},
    ops::{self, Refusal, grant::Randomness},
    server::{caller::Caller, fault::Failure, nodes::Unjoinable, state::Api},
    store::View,
};

pub(in crate::server) async fn list(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<Vec<api::JoinToken>>, Failure> {
    let mut tokens = api.store.snapshot().scan::<JoinToken>(&())?;
    tokens.sort_by_key(|token| token.created_at);
    let now = clock::now();
    Ok(Json(tokens.iter().map(|token| show(token, now)).collect()))
}

pub(in crate::server) async fn create(
    caller: Caller,
    State(api): State<Api>,
    Json(body): Json<api::CreateJoinToken>,
) -> Result<Json<api::NewJoinToken>, Failure> {
    let cluster = api.cluster.as_ref().ok_or(Unjoinable::Alone).map_err(Refusal::from)?;
    cluster.check().map_err(Refusal::from)?;
    let (now, key, actor) = (clock::now(), api.token_key.clone(), caller.actor);
    let (id, secret) = (rand::random(), rand::random());
    let lasts = body.ttl_ms.map(Duration::from_millis);
    let made = api
        .store
        .transact(move |tx| {
            ops::node::make(tx, &key, &Randomness { id, secret }, lasts, (&actor, now))
        })
        .await?;
    tracing::info!(id = %made.id, by = %made.by, until = %made.expires_at, "a join token was made");
    let word = JoinWord {
        id: made.id.clone(),
        secret,
        expires_at: made.expires_at,
        fingerprint: cluster.fingerprint,
        api: cluster.api.clone(),
    };
    Ok(Json(api::NewJoinToken {
        id: made.id.to_string(),
        token: word.to_string(),
        command: format!("paas node join {word}"),
        expires_at: made.expires_at.to_string(),
    }))
}

pub(in crate::server) async fn revoke(
    caller: Caller,
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Json<api::JoinToken>, Failure> {
    let gone = api.store.transact(move |tx| ops::node::revoke(tx, &TokenId(id))).await?;
    tracing::info!(id = %gone.id, by = %caller.actor, "a join token was taken back");
    Ok(Json(show(&gone, clock::now())))
}

fn show(token: &JoinToken, now: Timestamp) -> api::JoinToken {
    let (state, used) = match token.life(now) {
        TokenLife::Open => ("open", None),
        TokenLife::Used(name, at) => ("used", Some((name.to_string(), at.to_string()))),
        TokenLife::Expired => ("expired", None),
    };
    let (used_by, used_at) = used.unzip();
    api::JoinToken {
        id: token.id.to_string(),
        state: state.to_owned(),
        expires_at: token.expires_at.to_string(),
        used_by,
        used_at,
        created_at: token.created_at.to_string(),
        by: token.by.to_string(),
    }
}
