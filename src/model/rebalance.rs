//! Rebalancing: which apps a restart would spread better over the machines, which is observed, and those that
//! somebody wants restarted for that, which is remembered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Actor, AppName, NodeName, ProcessName, Timestamp};

/// What a new placement would have elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imbalance {
    /// In the order in which they would be made; each counts on those before it.
    pub moves: Vec<Move>,
    /// Apps that would be spread better as well, and why they are left where they are.
    pub left: BTreeMap<AppName, String>,
}

/// What a restart of an app changes about where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Which app.
    pub app: AppName,
    /// By process and machine: how many instances were there, and how many are then, where that differs.
    pub shifts: BTreeMap<ProcessName, BTreeMap<NodeName, (usize, usize)>>,
}

/// The wish that apps be spread anew, until it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalance {
    /// The one that was begun last. The next is begun when its rollout has ended.
    pub moving: Option<AppName>,
    /// Those that are still to move, each if it is worth it when its turn comes.
    pub waiting: Vec<AppName>,
    /// Who wants it.
    pub by: Actor,
    /// Since when.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_is_stored_as_it_always_was() {
        let golden = r#"{"moving":"shop","waiting":["blog","shop"],"by":"admin","at":"2026-09-21T14:13:20.123Z"}"#;
        let read: Rebalance = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
    }
}
