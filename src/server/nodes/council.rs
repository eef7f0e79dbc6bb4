//! Which machines keep the records, and having others keep them, or fewer. Wishes go to the daemon, which has the
//! seat among those machines; what may be wished is a question for `ops`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use axum::{Json, extract::State};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    model::NodeName,
    ops::{self, Refusal, node::Keepers},
    server::{caller::Caller, fault::Failure, nodes, state::Api},
};

/// Who keeps the records, with where each one's API listens over TLS, as others reach it; nobody while one
/// machine keeps them alone.
pub type Members = BTreeMap<NodeName, Vec<SocketAddr>>;

/// Where it is told who is to keep the records, and seen who does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Council {
    wishes: mpsc::Sender<Wish>,
    members: watch::Receiver<Arc<Members>>,
}

/// What somebody wants of those who keep the records.
#[derive(Debug)]
pub struct Wish {
    /// What is to change.
    pub change: Change,
    /// Whether it came about. When it did, [`Members`] say so before this does.
    pub answer: oneshot::Sender<Result<(), Refusal>>,
}

/// A change of those who keep the records. All of it comes about, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These nodes keep them, too.
    Promote(BTreeSet<NodeName>),
    /// These do not any more, and stay nodes.
    Demote(BTreeSet<NodeName>),
    /// This one is lost, and is not counted any more.
    Dismiss(NodeName),
}

impl Council {
    /// Whoever has the other two ends carries wishes out, and says who keeps the records.
    pub fn new() -> (Self, mpsc::Receiver<Wish>, watch::Sender<Arc<Members>>) {
        let (wishes, inbox) = mpsc::channel(WISHES);
        let (tell, members) = watch::channel(Arc::default());
        (Self { wishes, members }, inbox, tell)
    }

    /// Who keeps the records.
    pub fn members(&self) -> Arc<Members> {
        self.members.borrow().clone()
    }

    /// Has nodes keep the records, too.
    pub async fn promote(&self, names: BTreeSet<NodeName>) -> Result<(), Refusal> {
        self.wish(Change::Promote(names)).await
    }

    /// Has nodes keep them no more.
    pub async fn demote(&self, names: BTreeSet<NodeName>) -> Result<(), Refusal> {
        self.wish(Change::Demote(names)).await
    }

    /// Has a node that is lost not be counted any more.
    pub async fn dismiss(&self, name: NodeName) -> Result<(), Refusal> {
        self.wish(Change::Dismiss(name)).await
    }

    /// It takes what it takes; whoever goes before the answer does not end it.
    async fn wish(&self, change: Change) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish { change, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

fn ended() -> Refusal {
    Refusal::unavailable(
        "it is not known whether that was done",
        "the daemon that was to do it ended",
    )
    .hint("`paas nodes` shows which machines keep the records; ask again if it was not")
}

pub(in crate::server) async fn promote(
    caller: Caller,
    State(api): State<Api>,
    Json(body): Json<api::Promotion>,
) -> Result<Json<Vec<api::Node>>, Failure> {
    let names = parsed(&body)?;
    let names = asked(&api, |keepers| keepers.promoted(&names))?;
    if !names.is_empty() {
        let who = listed(&names);
        api.council.promote(names).await?;
        tracing::info!(nodes = %who, by = %caller.actor, "nodes keep the records, too");
    }
    Ok(Json(nodes::listed(&api)?))
}

pub(in crate::server) async fn demote(
    caller: Caller,
    State(api): State<Api>,
    Json(body): Json<api::Promotion>,
) -> Result<Json<Vec<api::Node>>, Failure> {
    let names = parsed(&body)?;
    let names = asked(&api, |keepers| keepers.demoted(&names))?;
    if !names.is_empty() {
        let who = listed(&names);
        api.council.demote(names).await?;
        tracing::info!(nodes = %who, by = %caller.actor, "nodes do not keep the records any more");
    }
    Ok(Json(nodes::listed(&api)?))
}

/// Before a node is removed: if it keeps the records and is lost, it is not counted any more.
pub(super) async fn dismiss(api: &Api, name: &NodeName) -> Result<(), Failure> {
    if asked(api, |keepers| keepers.has_to_be_dismissed(name))? {
        api.council.dismiss(name.clone()).await?;
        tracing::info!(node = %name, "a node that is lost does not count among those that keep the records");
    }
    Ok(())
}

fn parsed(body: &api::Promotion) -> Result<Vec<NodeName>, Failure> {
    Ok(body.nodes.iter().map(|name| name.parse::<NodeName>()).collect::<Result<_, _>>()?)
}

/// What `ops` says to a question about the machines as they are now.
fn asked<T>(api: &Api, ask: impl FnOnce(&Keepers<'_>) -> Result<T, Refusal>) -> Result<T, Failure> {
    let nodes = ops::node::all(&api.store.snapshot())?;
    let names = api.council.members().keys().cloned().collect();
    let (leader, states) = (nodes::control_name(api), api.nodes.borrow().clone());
    let keepers = Keepers { leader: &leader, names: &names, nodes: &nodes, states: &states };
    Ok(ask(&keepers)?)
}

fn listed(names: &BTreeSet<NodeName>) -> String {
    names.iter().map(NodeName::as_str).collect::<Vec<_>>().join(" ")
}

/// Wishes that wait for the one that is carried out; whoever has another waits to say it.
const WISHES: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BTreeSet<NodeName> {
        ["edge-1", "edge-2"].map(|name| name.parse().unwrap()).into()
    }

    #[tokio::test]
    async fn a_wish_is_carried_out_by_whoever_has_the_other_end() {
        let (council, mut wishes, tell) = Council::new();
        assert!(council.members().is_empty());
        let carries_out = async {
            let Wish { change, answer } = wishes.recv().await.unwrap();
            tell.send_replace(Arc::new(names().into_iter().map(|name| (name, vec![])).collect()));
            answer.send(Ok(())).unwrap();
            let refused = wishes.recv().await.unwrap();
            refused.answer.send(Err(Refusal::conflict("edge-1", "it is slow"))).unwrap();
            (change, refused.change)
        };
        let wishing = async {
            council.promote(names()).await.unwrap();
            assert_eq!(council.members().len(), 2);
            council.dismiss("edge-1".parse().unwrap()).await.unwrap_err().to_string()
        };
        let (done, said) = tokio::join!(carries_out, wishing);
        let dismissed = Change::Dismiss("edge-1".parse().unwrap());
        assert_eq!(done, (Change::Promote(names()), dismissed));
        assert_eq!(said, "edge-1: it is slow");
    }

    #[tokio::test]
    async fn a_daemon_that_ends_leaves_nobody_waiting() {
        let (council, mut wishes, _tell) = Council::new();
        let ends = async { drop(wishes.recv().await) };
        let (said, ()) = tokio::join!(council.demote(names()), ends);
        assert!(said.unwrap_err().to_string().ends_with("the daemon that was to do it ended"));
        drop(wishes);
        let said = council.promote(names()).await.unwrap_err();
        assert!(said.hint.unwrap().contains("`paas nodes` shows which"));
    }
}
