//! What a new placement would have elsewhere, and having it moved.

use axum::{Json, extract::State};

use crate::{
    clock,
    model::{Imbalance, Move, NodeName, Rebalance},
    ops,
    server::{caller::Caller, fault::Failure, state::Api},
    store::Transaction,
};

pub(in crate::server) async fn imbalance(
    _: Caller,
    State(api): State<Api>,
) -> Result<Json<api::Rebalance>, Failure> {
    let wish = ops::node::rebalancing(&api.store.snapshot())?;
    Ok(Json(view(api.observation.borrow().imbalance.clone(), wish)))
}

pub(in crate::server) async fn rebalance(
    caller: Caller,
    State(api): State<Api>,
) -> Result<Json<api::Rebalance>, Failure> {
    let imbalance = api.observation.borrow().imbalance.clone();
    let (moves, by) = (imbalance.moves.clone(), caller.actor.clone());
    let wish = move |tx: &mut Transaction<'_>| ops::node::rebalance(tx, &moves, &by, clock::now());
    let wish = api.store.transact(wish).await?;
    let apps = imbalance.moves.len();
    tracing::info!(apps, by = %caller.actor, "apps are spread anew over the machines");
    Ok(Json(view(imbalance, wish)))
}

fn view(imbalance: Imbalance, wish: Option<Rebalance>) -> api::Rebalance {
    let left = imbalance.left.into_iter().map(|(app, why)| (app.to_string(), why));
    let (moving, waiting) = wish.map(|wish| (wish.moving, wish.waiting)).unwrap_or_default();
    api::Rebalance {
        moves: imbalance.moves.into_iter().flat_map(moves).collect(),
        left: left.collect(),
        moving: moving.map(|app| app.to_string()),
        waiting: waiting.iter().map(ToString::to_string).collect(),
    }
}

fn moves(Move { app, shifts }: Move) -> impl Iterator<Item = api::Move> {
    shifts.into_iter().map(move |(process, nodes)| {
        let shift = |(node, (from, to)): (NodeName, (usize, usize))| {
            (node.to_string(), api::Shift { from, to })
        };
        let nodes = nodes.into_iter().map(shift).collect();
        api::Move { app: app.to_string(), process: process.to_string(), nodes }
    })
}
