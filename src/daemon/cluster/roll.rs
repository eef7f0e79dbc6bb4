//! The roll of nodes: whoever is on record is let in and called, all are told of each other, and how each is, is
//! published.
//!
//! Where several machines keep the records each is on record, also the one that leads: others are told of it, and it is
//! no node of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::replace,
    sync::Arc,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Keepers;
use crate::{
    model::{Node, NodeName, NodeState, NodeStates, Roster},
    node::{
        Edges, Nodes,
        link::{Admitted, Calls, Credentials, Keys, LinkState},
    },
    ops,
    store::Store,
    telemetry::chain,
};

/// What it is published to.
#[derive(Debug)]
pub(super) struct Outlets {
    /// The listener: who may come in.
    pub(super) admit: watch::Sender<Arc<Admitted>>,
    /// Nodes: who else is one.
    pub(super) enrol: watch::Sender<Arc<Roster>>,
    /// Whoever wants to know how nodes are.
    pub(super) states: watch::Sender<Arc<NodeStates>>,
}

/// Who has joined, as long as it is kept.
#[derive(Debug)]
pub(super) struct Roll {
    store: Store,
    edges: Edges,
    engines: Nodes,
    own: NodeName,
    keepers: Keepers,
    admit: watch::Sender<Arc<Admitted>>,
    enrol: watch::Sender<Arc<Roster>>,
    states: watch::Sender<Arc<NodeStates>>,
    calls: Calls,
}

impl Roll {
    pub(super) fn new(
        (store, edges, engines): (Store, Edges, Nodes),
        (own, keepers): (NodeName, Keepers),
        credentials: Credentials,
        told: Outlets,
    ) -> Self {
        let calls = Calls::new(credentials);
        let Outlets { admit, enrol, states } = told;
        Self { store, edges, engines, own, keepers, admit, enrol, states, calls }
    }

    /// Keeps to the records until it is told to stop. Links to nodes stay until they are `cut`.
    pub(super) async fn call(mut self, stop: CancellationToken, cut: CancellationToken) {
        let mut commits = self.store.changes();
        let (mut there, mut work) = (self.edges.there(), self.engines.news());
        loop {
            commits.mark_unchanged();
            self.keepers.mark_unchanged();
            match ops::node::all(&self.store.snapshot()) {
                Ok(nodes) => {
                    self.keep_to(&nodes, &stop, &cut);
                    self.engines.called();
                    self.readdress(&nodes).await;
                }
                Err(error) => tracing::warn!(error = %chain(&error), "who has joined is not known"),
            }
            self.publish();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = commits.changed() => {}
                Ok(()) = self.keepers.changed() => {}
                () = self.calls.moved() => {}
                Ok(()) = there.changed() => {}
                Ok(()) = work.changed() => {}
            }
        }
        let calls = self.calls;
        tokio::spawn(async move {
            cut.cancelled().await;
            drop(calls);
        });
    }

    /// Lets in and calls those who are on record, and nobody else.
    fn keep_to(&mut self, nodes: &[Node], stop: &CancellationToken, cut: &CancellationToken) {
        // Before anybody is let in: whoever comes is told at once of all others, and never of none.
        let keepers = self.keepers.borrow().clone();
        let roster = Arc::new(Roster::of(nodes, &keepers));
        self.enrol.send_if_modified(|before| replace(before, roster.clone()) != roster);
        let others = || nodes.iter().filter(|node| node.name != self.own);
        let admitted = others().map(|node| (node.name.clone(), keys(node, &keepers))).collect();
        let admitted = Arc::new(Admitted(admitted));
        self.admit.send_if_modified(|before| replace(before, admitted.clone()) != admitted);
        let at: BTreeMap<NodeName, _> =
            others().map(|node| (node.name.clone(), node.address)).collect();
        self.edges.keep(&at.keys().cloned().collect::<BTreeSet<_>>());
        for (link, closed) in self.calls.keep_to(&at, cut) {
            let until = stop.child_token();
            let attended = until.clone().drop_guard();
            tokio::spawn(async move {
                closed.cancelled().await;
                drop(attended);
            });
            self.engines.attend(link.peer(), link, until);
        }
    }

    /// Puts on record where those are reached now that have moved.
    async fn readdress(&self, nodes: &[Node]) {
        let links = self.edges.links();
        for node in nodes {
            let Some(at) = links.get(&node.name).copied().filter(|at| *at != node.address) else {
                continue;
            };
            let (node, name) = (&node.name, node.name.clone());
            let moved = self.store.transact(move |tx| ops::node::readdress(tx, &name, at)).await;
            match moved {
                Ok(_) => tracing::info!(%node, %at, "a node has another address"),
                Err(refusal) => tracing::warn!(%node, %at, %refusal, "a node cannot be there"),
            }
        }
    }

    fn publish(&self) {
        let (serving, mut apart) = (self.edges.serving(), self.edges.apart());
        let up: BTreeSet<_> =
            self.calls.links().filter(|(_, link)| link.is_up()).map(|(name, _)| name).collect();
        let states = self.calls.links().map(|(name, link)| {
            let serves = serving.get(name).copied().flatten();
            let work = self.engines.work(name);
            let mut apart = apart.remove(name).unwrap_or_default();
            apart.retain(|other| up.contains(other));
            let state = match link.state().borrow().clone() {
                LinkState::Up { since, version } => NodeState {
                    up: Some(since),
                    version,
                    serves,
                    work,
                    apart,
                    ..NodeState::default()
                },
                LinkState::Down { since, why } => {
                    NodeState { down: Some((since, why)), serves, work, ..NodeState::default() }
                }
            };
            (name.clone(), state)
        });
        let states = Arc::new(NodeStates(states.collect()));
        self.states.send_if_modified(|before| replace(before, states.clone()) != states);
    }
}

/// By which keys a node comes in: one that keeps the records has the authority, and signs itself another when it leads.
fn keys(node: &Node, keepers: &BTreeSet<NodeName>) -> Keys {
    if keepers.contains(&node.name) {
        return Keys::Any;
    }
    Keys::These([node.key.as_str().to_owned()].into())
}
