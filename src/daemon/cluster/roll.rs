//! The roll of nodes: whoever is on record is let in and called, all are told of each other, and how each is, is
//! published.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::replace,
    sync::Arc,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

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

/// Who has joined, as long as it is kept.
#[derive(Debug)]
pub(super) struct Roll {
    store: Store,
    edges: Edges,
    engines: Nodes,
    admit: watch::Sender<Arc<Admitted>>,
    enrol: watch::Sender<Arc<Roster>>,
    states: watch::Sender<Arc<NodeStates>>,
    calls: Calls,
}

impl Roll {
    pub(super) fn new(
        (store, edges, engines): (Store, Edges, Nodes),
        credentials: Credentials,
        (admit, enrol): (watch::Sender<Arc<Admitted>>, watch::Sender<Arc<Roster>>),
        states: watch::Sender<Arc<NodeStates>>,
    ) -> Self {
        Self { store, edges, engines, admit, enrol, states, calls: Calls::new(credentials) }
    }

    /// Keeps to the records until it is told to stop.
    pub(super) async fn call(mut self, stop: CancellationToken) {
        let mut commits = self.store.changes();
        let (mut there, mut work) = (self.edges.there(), self.engines.news());
        loop {
            commits.mark_unchanged();
            match ops::node::all(&self.store.snapshot()) {
                Ok(nodes) => {
                    self.keep_to(&nodes, &stop);
                    self.engines.called();
                    self.readdress(&nodes).await;
                }
                Err(error) => tracing::warn!(error = %chain(&error), "who has joined is not known"),
            }
            self.publish();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = commits.changed() => {}
                () = self.calls.moved() => {}
                Ok(()) = there.changed() => {}
                Ok(()) = work.changed() => {}
            }
        }
    }

    /// Lets in and calls those who are on record, and nobody else.
    fn keep_to(&mut self, nodes: &[Node], stop: &CancellationToken) {
        // Before anybody is let in: whoever comes is told at once of all others, and never of none.
        let roster = Arc::new(Roster::of(nodes));
        self.enrol.send_if_modified(|before| replace(before, roster.clone()) != roster);
        let keys = |node: &Node| Keys::These([node.key.as_str().to_owned()].into());
        let admitted = nodes.iter().map(|node| (node.name.clone(), keys(node))).collect();
        let admitted = Arc::new(Admitted(admitted));
        self.admit.send_if_modified(|before| replace(before, admitted.clone()) != admitted);
        let at: BTreeMap<NodeName, _> =
            nodes.iter().map(|node| (node.name.clone(), node.address)).collect();
        self.edges.keep(&at.keys().cloned().collect::<BTreeSet<_>>());
        for (link, until) in self.calls.keep_to(&at, stop) {
            self.engines.attend(link.peer().clone(), link, until);
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
