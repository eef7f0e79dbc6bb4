//! Machines that joined: list, label, drain, remove; the tokens by which they join, their joining, who of them
//! keeps the records, and the moves that make them even.

mod cluster;
mod council;
mod join;
mod rebalance;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;

use crate::{
    clock,
    model::{
        AppName, LabelKey, LabelValue, Labels, Node, NodeName, NodeState, Observation, Observed,
    },
    ops::{self, Refusal},
    server::{caller::Caller, fault::Failure, state::Api},
    store::Transaction,
};

pub use cluster::{Cluster, Unjoinable};
pub use council::{Change, Council, Members, Wish};
pub(super) use council::{demote, promote};
pub(super) use join::join;
pub(super) use rebalance::{imbalance, rebalance};
pub(super) use tokens::{create as create_token, list as list_tokens, revoke as revoke_token};

pub(super) async fn list(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<Vec<api::Node>>, Failure> {
    Ok(Json(listed(&api)?))
}

/// All machines, the one that answers first; where several keep the records, it has a record as a node, too.
fn listed(api: &Api) -> Result<Vec<api::Node>, Failure> {
    let (snapshot, name) = (api.store.snapshot(), control_name(api));
    let nodes = ops::node::all(&snapshot)?;
    let labels = ops::node::control_labels(&snapshot, &name)?;
    let own = nodes.iter().find(|node| node.name == name);
    let others = nodes.iter().filter(|node| node.name != name);
    let own = control(api, labels, own);
    Ok(std::iter::once(own).chain(others.map(|node| view(api, node))).collect())
}

pub(super) async fn label(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(body): Json<api::LabelsPatch>,
) -> Result<Json<api::Node>, Failure> {
    let name: NodeName = name.parse()?;
    let mut change = BTreeMap::new();
    for (key, value) in body.labels {
        let value: Option<LabelValue> = value.map(|value| value.parse()).transpose()?;
        change.insert(key.parse::<LabelKey>()?, value);
    }
    if name == control_name(&api) {
        let label = move |tx: &mut Transaction<'_>| ops::node::label_control(tx, &name, change);
        let labels = api.store.transact(label).await?;
        tracing::info!(?labels, by = %caller.actor, "labels of this machine were changed");
        let nodes = ops::node::all(&api.store.snapshot())?;
        let own = nodes.iter().find(|node| node.name == control_name(&api));
        return Ok(Json(control(&api, labels, own)));
    }
    let node = api.store.transact(move |tx| ops::node::label(tx, &name, change)).await?;
    let (labels, by) = (&node.labels, caller.actor);
    tracing::info!(node = %node.name, ?labels, %by, "labels of a node were changed");
    Ok(Json(view(&api, &node)))
}

pub(super) async fn drain(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Drained>, Failure> {
    let (name, by) = (name.parse::<NodeName>()?, caller.actor.clone());
    let node = (name != control_name(&api)).then_some(&name);
    let there = |seen: &Observation| -> BTreeSet<AppName> {
        let has = |all: &[Observed]| all.iter().any(|one| one.instance.node.as_ref() == node);
        seen.apps.iter().filter(|(_, all)| has(all)).map(|(app, _)| app.clone()).collect()
    };
    let apps = there(&api.observation.borrow());
    let drain =
        move |tx: &mut Transaction<'_>| ops::node::drain(tx, &name, &apps, &by, clock::now());
    let (node, moves) = api.store.transact(drain).await?;
    tracing::info!(node = %node.name, by = %caller.actor, "a node is drained");
    let left = moves.left.into_iter().map(|(app, why)| (app.to_string(), why));
    Ok(Json(api::Drained {
        node: view(&api, &node),
        moving: moves.begun.iter().map(ToString::to_string).collect(),
        left: left.collect(),
    }))
}

pub(super) async fn undrain(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<api::Node>, Failure> {
    let name: NodeName = name.parse()?;
    let node = api.store.transact(move |tx| ops::node::undrain(tx, &name)).await?;
    tracing::info!(node = %node.name, by = %caller.actor, "a node is drained no more");
    Ok(Json(view(&api, &node)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Removal {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    force: bool,
}

pub(super) async fn remove(
    caller: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(Removal { confirm, force }): Query<Removal>,
) -> Result<Json<api::Node>, Failure> {
    let name: NodeName = name.parse()?;
    if let Some(instances) = at_work(&api, &name).filter(|_| !force) {
        let why = format!("it is up, and {instances} instances would stay on it that nobody needs");
        return Err(Refusal::conflict(format!("{name} was not removed"), why)
            .hint(format!("`paas nodes drain {name}` first; `--force` if they may stay there"))
            .into());
    }
    if !force {
        ops::node::check_without_volumes(&api.store.snapshot(), &name)?;
    }
    ops::node::check_confirmed(&name, &confirm)?;
    council::dismiss(&api, &name).await?;
    let gone = api.store.transact(move |tx| ops::node::remove(tx, &name, &confirm)).await?;
    tracing::info!(node = %gone.name, by = %caller.actor, "a node was removed");
    Ok(Json(view(&api, &gone)))
}

/// How many instances a node has that is up, if there are any.
fn at_work(api: &Api, name: &NodeName) -> Option<usize> {
    let states = api.nodes.borrow();
    let state = states.0.get(name).filter(|state| state.down.is_none())?;
    state.work.clone()?.ok().filter(|instances| *instances > 0)
}

/// What the machine that answers is called.
fn control_name(api: &Api) -> NodeName {
    let cluster = api.cluster.as_ref();
    cluster.map_or_else(|| NodeName::of_machine(&api.node), |cluster| cluster.control.clone())
}

/// This machine, with its labels, and its record as a node, if it has one.
fn control(api: &Api, labels: Labels, own: Option<&Node>) -> api::Node {
    let (cluster, name) = (api.cluster.as_ref(), control_name(api));
    let address = cluster.and_then(|cluster| cluster.link.first());
    api::Node {
        keeps_records: api.council.members().contains_key(&name),
        name: name.to_string(),
        state: "control".to_owned(),
        reason: None,
        since: None,
        address: address.map(ToString::to_string),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        instances: Some(of_control(api)),
        drained: own.is_some_and(|node| node.drained),
        idle: None,
        apart: Vec::new(),
        labels: shown(labels),
        joined_at: own.map(|node| node.joined_at.to_string()),
        by: own.map(|node| node.by.to_string()),
    }
}

fn of_control(api: &Api) -> usize {
    let seen = api.observation.borrow();
    let all = seen.apps.values().flatten();
    all.filter(|observed| observed.instance.node.is_none()).count()
}

/// A machine that joined; of the one that answers more is known than of others.
fn view(api: &Api, node: &Node) -> api::Node {
    if node.name == control_name(api) {
        return control(api, node.labels.clone(), Some(node));
    }
    let seen = api.nodes.borrow().0.get(&node.name).cloned().unwrap_or_default();
    let NodeState { up, down, version, serves: _, work, apart } = seen;
    let (instances, idle) = match work {
        Some(Ok(instances)) => (Some(instances), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let (state, since, reason) = match (up, down) {
        (_, Some((since, why))) => ("down", Some(since), Some(why)),
        (Some(since), None) => ("up", Some(since), None),
        (None, None) => ("joined", None, None),
    };
    api::Node {
        keeps_records: api.council.members().contains_key(&node.name),
        name: node.name.to_string(),
        state: state.to_owned(),
        reason,
        since: since.map(|since| since.to_string()),
        address: Some(node.address.to_string()),
        version,
        instances,
        drained: node.drained,
        idle,
        apart: apart.iter().map(ToString::to_string).collect(),
        labels: shown(node.labels.clone()),
        joined_at: Some(node.joined_at.to_string()),
        by: Some(node.by.to_string()),
    }
}

fn shown(labels: Labels) -> BTreeMap<String, String> {
    labels.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
