//! Certificates: list, bring one's own, take it back, try again.

use axum::{
    Json,
    extract::{Path, State},
};

use crate::{
    clock,
    model::{Certificate, DomainName},
    ops::{self, Refusal},
    pki::{Supplied, Unusable},
    server::{caller::Caller, fault::Failure, state::Api, view::domain as view},
    store::{View, sealing::certificate_context},
};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<Vec<api::Certificate>>, Failure> {
    let certificates = api.store.snapshot().scan::<Certificate>(&())?;
    Ok(Json(certificates.iter().map(view::certificate).collect()))
}

pub(super) async fn supply(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::SupplyCertificate>,
) -> Result<Json<api::Certificate>, Failure> {
    let name: DomainName = name.parse()?;
    let now = clock::now();
    let supplied = Supplied::check(&name, &body.chain, &body.key, now)
        .map_err(|problems| refusal(&name, &problems))?;
    let key = api.sealing.seal(&certificate_context(&name), body.key.as_bytes());
    let certificate = api
        .store
        .transact(move |tx| ops::certificate::supply(tx, &name, supplied, key, &caller.actor, now))
        .await?;
    Ok(Json(view::certificate(&certificate)))
}

pub(super) async fn remove(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Certificate>, Failure> {
    let name: DomainName = name.parse()?;
    let removed = api
        .store
        .transact(move |tx| ops::certificate::remove(tx, &name, &caller.actor, clock::now()))
        .await?;
    Ok(Json(view::certificate(&removed)))
}

pub(super) async fn retry(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Certificate>, Failure> {
    let name: DomainName = name.parse()?;
    let now = api.store.transact(move |tx| ops::certificate::retry(tx, &name)).await?;
    Ok(Json(view::certificate(&now)))
}

fn refusal(name: &DomainName, problems: &[Unusable]) -> Refusal {
    let each: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Refusal::invalid(format!("certificate of {name}"), each.join("; ")).hint(
        "the chain is a PEM file with the name's own certificate first, the key the one it was \
         made with",
    )
}
