//! Spreading apps anew over the machines: the wish is recorded, and control restarts one app after another.

use crate::{
    model::{Actor, Move, Rebalance, Timestamp},
    ops::Refusal,
    store::{StoreError, Transaction, View},
};

/// Has apps make these moves, in place of those that were still to be made. Without any, what was wished stays.
pub fn rebalance(
    tx: &mut Transaction<'_>,
    moves: &[Move],
    by: &Actor,
    now: Timestamp,
) -> Result<Option<Rebalance>, Refusal> {
    let earlier = rebalancing(tx)?;
    if moves.is_empty() {
        return Ok(earlier);
    }
    let waiting = moves.iter().map(|one| one.app.clone()).collect();
    let moving = earlier.and_then(|earlier| earlier.moving);
    let wish = Rebalance { moving, waiting, by: by.clone(), at: now };
    tx.put(&wish)?;
    Ok(Some(wish))
}

/// What is still to be done of it.
pub fn rebalancing(view: &impl View) -> Result<Option<Rebalance>, StoreError> {
    view.get::<Rebalance>(&())
}
