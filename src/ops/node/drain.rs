//! Emptying a node, for as long as somebody works on its machine or for good: nothing new is started there, and
//! the apps that have instances there start all of theirs anew, as gently as a deploy. One that has a volume there
//! stays: its process would only be stopped, and started in the same place.

use std::collections::BTreeSet;

use crate::{
    model::{Actor, AppName, Node, NodeName, Timestamp, Volume},
    ops::{Refusal, RefusalKind, node::keep::known, restart::restart},
    store::{Transaction, View},
};

/// What becomes of the apps of a node that is drained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// They have begun to move.
    pub begun: Vec<AppName>,
    /// They do not move by this, and why.
    pub left: Vec<(AppName, String)>,
}

/// Drains a node on which these apps have instances. Doing it again moves whoever is still there.
pub fn drain(
    tx: &mut Transaction<'_>,
    name: &NodeName,
    apps: &BTreeSet<AppName>,
    by: &Actor,
    now: Timestamp,
) -> Result<(Node, Moves), Refusal> {
    let node = Node { drained: true, ..known(tx, name)? };
    tx.put(&node)?;
    let mut moves = Moves::default();
    for app in apps {
        let mut volumes = tx.scan::<Volume>(app.as_str())?.into_iter();
        if let Some(volume) = volumes.find(|volume| volume.home.as_ref() == Some(name)) {
            let volume = volume.name;
            let why = format!(
                "its volume {volume} is on {name}: `paas volumes move {volume} --to NODE -a {app}`, and drain again"
            );
            moves.left.push((app.clone(), why));
            continue;
        }
        match restart(tx, app, by, now) {
            Ok(_) => moves.begun.push(app.clone()),
            // A rollout that is under way starts its instances elsewhere by itself.
            Err(refusal) if refusal.kind == RefusalKind::Conflict => {
                moves.left.push((app.clone(), refusal.why));
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Ok((node, moves))
}

/// Has instances be started on a node again. Whoever has gone comes back with the next deploy or restart.
pub fn undrain(tx: &mut Transaction<'_>, name: &NodeName) -> Result<Node, Refusal> {
    let node = Node { drained: false, ..known(tx, name)? };
    tx.put(&node)?;
    Ok(node)
}
