//! Machines that joined, and the tokens by which they do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A machine of the installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// `control` for the one that answers; of the others `up`, `down`, or `joined` until they are heard of.
    pub state: String,
    /// Why it is down.
    pub reason: Option<String>,
    /// Since when it is up or down.
    pub since: Option<String>,
    /// Where its link listens; `null` if nowhere.
    pub address: Option<String>,
    /// The version of its daemon, once that is known.
    pub version: Option<String>,
    /// How many instances it has; `null` until that is known, and where it can have none.
    pub instances: Option<usize>,
    /// Whether nothing new is started on it.
    #[serde(default)]
    pub drained: bool,
    /// Why it can have none.
    pub idle: Option<String>,
    /// The nodes that it reaches by way of the control only, because there is no link between the two.
    #[serde(default)]
    pub apart: Vec<String>,
    /// Whether it is one of several machines that keep the records, any of which can control.
    #[serde(default)]
    pub keeps_records: bool,
    /// What people say of it.
    pub labels: BTreeMap<String, String>,
    /// When it joined; `null` for a control that did not.
    pub joined_at: Option<String>,
    /// Who made the token that it joined by.
    pub by: Option<String>,
}

/// Asks for machines to keep the records, too, or to keep them no more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Promotion {
    /// What they are called.
    pub nodes: Vec<String>,
}

/// A node that is drained, and what becomes of its apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Drained {
    /// The node.
    pub node: Node,
    /// The apps that have begun to move.
    pub moving: Vec<String>,
    /// Those that do not move by this, and why.
    pub left: BTreeMap<String, String>,
}

/// What a new placement would have elsewhere, and what is being moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rebalance {
    /// The moves that make the machines more even, in the order in which they are made.
    pub moves: Vec<Move>,
    /// Apps that would be spread better as well and are not moved, and why.
    pub left: BTreeMap<String, String>,
    /// The app that is moving.
    pub moving: Option<String>,
    /// Those that move after it, one after another, if it is worth it when their turn comes.
    pub waiting: Vec<String>,
}

/// Instances of a process that are elsewhere after a restart of their app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Move {
    /// The app.
    pub app: String,
    /// Which of its processes.
    pub process: String,
    /// The machines that get more or fewer.
    pub nodes: BTreeMap<String, Shift>,
}

/// How many instances a machine has of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Shift {
    /// Before the move.
    pub from: usize,
    /// After it.
    pub to: usize,
}

/// A token by which one machine may join. Its secret is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JoinToken {
    /// What it is called.
    pub id: String,
    /// `open`, `used` or `expired`.
    pub state: String,
    /// Until when it may be used.
    pub expires_at: String,
    /// The node that used it.
    pub used_by: Option<String>,
    /// When that was.
    pub used_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Who made it.
    pub by: String,
}

/// Asks for a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateJoinToken {
    /// For how long it may be used, in milliseconds: one minute to seven days; an hour if absent.
    pub ttl_ms: Option<u64>,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewJoinToken {
    /// What it is called.
    pub id: String,
    /// The only copy of its text.
    pub token: String,
    /// What to run on the other machine, as root.
    pub command: String,
    /// Until when it may be used.
    pub expires_at: String,
}

/// Asks for other labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LabelsPatch {
    /// Key → new value; `null` takes the label away.
    pub labels: BTreeMap<String, Option<String>>,
}

/// Asks, by a join token, to become a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Join {
    /// What it wants to be called.
    pub name: String,
    /// Its request for a certificate (PKCS#10, PEM), of which only the key counts: ECDSA P-256.
    pub csr: String,
    /// Where its link will listen, as others reach it: `ADDRESS:PORT`.
    pub address: String,
}

/// What a machine needs to be a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Joined {
    /// What it is called.
    pub name: String,
    /// The certificate of the node authority, in PEM: whom it believes.
    pub authority: String,
    /// Its own certificate, in PEM.
    pub chain: String,
    /// What the machine is called that controls.
    pub control: String,
    /// Where the link of that listens; never none.
    pub addresses: Vec<String>,
}
