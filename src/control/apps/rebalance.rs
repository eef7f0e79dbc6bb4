//! The wish that apps be spread anew, carried out: one app after another is restarted.
//!
//! Which is next is decided by what is seen when its turn comes, so that nobody is restarted in vain. The record and
//! the rollout change in one transaction: a daemon that was killed goes on where it was.

use std::collections::BTreeMap;

use crate::{
    control::apps::state::AppState,
    model::{App, AppName, Imbalance, Rebalance, Timestamp},
    store::{StoreError, Transaction, View, releasing},
};

/// What is to be done for a wish now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    wish: Rebalance,
    next: Option<Next>,
}

/// The app that is restarted next.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Next {
    app: AppName,
    /// What of it was planned for.
    generation: u64,
    /// Who comes after it.
    waiting: Vec<AppName>,
}

/// Whose turn it is; `None` while nobody wishes anything, and while the last one's rollout is under way.
pub fn turn(
    wish: Option<Rebalance>,
    states: &BTreeMap<AppName, AppState>,
    imbalance: &Imbalance,
) -> Option<Turn> {
    let wish = wish?;
    let moving = wish.moving.as_ref().and_then(|app| states.get(app));
    if moving.is_some_and(|state| state.under_way().is_some()) {
        return None;
    }
    let is_worth_it = |app: &AppName| imbalance.moves.iter().any(|one| one.app == *app);
    let mut waiting = wish.waiting.iter().skip_while(|app| !is_worth_it(app)).cloned();
    let state = waiting.next().and_then(|app| states.get(&app));
    let next = state.map(|state| Next {
        app: state.app.name.clone(),
        generation: state.app.generation,
        waiting: waiting.collect(),
    });
    Some(Turn { wish, next })
}

/// Does it, unless somebody has wished something else since, or changed the app.
pub fn take(tx: &mut Transaction<'_>, turn: Turn, now: Timestamp) -> Result<(), StoreError> {
    let Turn { wish, next } = turn;
    if tx.get::<Rebalance>(&())?.as_ref() != Some(&wish) {
        return Ok(());
    }
    let Some(Next { app, generation, waiting }) = next else { return tx.delete::<Rebalance>(&()) };
    let app = tx.get::<App>(&app.as_str().to_owned())?;
    let Some(app) = app.filter(|app| app.generation == generation) else { return Ok(()) };
    let Some(serving) = app.current.map(|current| current.release) else { return Ok(()) };
    tx.put(&Rebalance { moving: Some(app.name.clone()), waiting, ..wish.clone() })?;
    let why = format!("restart of {serving}, to spread it over the machines");
    releasing::restart(tx, app, serving, why, (&wish.by, now))?;
    Ok(())
}
