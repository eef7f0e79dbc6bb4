//! The DNS that this server answers: zones and the records in them.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{DnsData, DnsRecord, DomainName, RecordName, Zone},
    ops::{self, Refusal, record::Draft},
    server::{caller::Caller, fault::Failure, state::Api, view::dns as view},
    store::View,
};

pub(super) async fn zones(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<Vec<api::Zone>>, Failure> {
    let mut shown = Vec::new();
    if api.reach.dns {
        shown.push(view::platform(&api.reach));
    }
    let added = api.store.snapshot().scan::<Zone>(&())?;
    shown.extend(added.iter().map(|zone| view::zone(zone, &api.reach)));
    Ok(Json(shown))
}

pub(super) async fn add_zone(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Zone>, Failure> {
    let name: DomainName = name.parse()?;
    if !api.reach.dns {
        return Err(Refusal::conflict(format!("zone {name}"), "this server answers no DNS")
            .hint("set `dns = \"0.0.0.0:53\"` in config.toml and restart it")
            .into());
    }
    let platform = api.reach.domain.clone();
    let zone = api
        .store
        .transact(move |tx| ops::zone::add(tx, &platform, &name, &caller.actor, clock::now()))
        .await?;
    Ok(Json(view::zone(&zone, &api.reach)))
}

pub(super) async fn remove_zone(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Vec<api::Record>>, Failure> {
    let name: DomainName = name.parse()?;
    let gone = api.store.transact(move |tx| ops::zone::remove(tx, &name)).await?;
    Ok(Json(gone.iter().map(view::record).collect()))
}

pub(super) async fn records(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<Vec<api::Record>>, Failure> {
    let records = api.store.snapshot().scan::<DnsRecord>(&())?;
    Ok(Json(records.iter().map(view::record).collect()))
}

pub(super) async fn add_record(
    caller: Caller,
    State(api): State<Api>,
    Json(body): Json<api::AddRecord>,
) -> Result<Json<api::Record>, Failure> {
    let name: RecordName = body.name.parse()?;
    let data = data(&name, &body.kind, &body.value)?;
    let draft = Draft { name, data, ttl: body.ttl };
    let platform = api.reach.domain.clone();
    let record = api
        .store
        .transact(move |tx| ops::record::add(tx, &platform, draft, &caller.actor, clock::now()))
        .await?;
    Ok(Json(view::record(&record)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    name: String,
    kind: String,
    value: Option<String>,
}

pub(super) async fn remove_record(
    _: Caller,
    State(api): State<Api>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<api::Record>>, Failure> {
    let name: RecordName = which.name.parse()?;
    let data = which.value.map(|value| data(&name, &which.kind, &value)).transpose()?;
    let gone = api
        .store
        .transact(move |tx| ops::record::remove(tx, &name, &which.kind, data.as_ref()))
        .await?;
    Ok(Json(gone.iter().map(view::record).collect()))
}

fn data(name: &RecordName, kind: &str, value: &str) -> Result<DnsData, Refusal> {
    DnsData::parse(kind, value)
        .map_err(|error| Refusal::invalid(format!("record {name}"), error.to_string()))
}
