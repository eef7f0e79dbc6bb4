//! The roll of nodes: whoever is on record is let in and called, and how each is, is published.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    model::{Node, NodeName, NodeState, NodeStates},
    node::{
        Edges, Nodes,
        link::{Admitted, Credentials, Keys, Link, LinkState},
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
    credentials: Credentials,
    admit: watch::Sender<Arc<Admitted>>,
    states: watch::Sender<Arc<NodeStates>>,
    called: BTreeMap<NodeName, Called>,
    moved: Arc<Notify>,
}

/// A node that is called, until this is dropped.
#[derive(Debug)]
struct Called {
    address: watch::Sender<SocketAddr>,
    state: watch::Receiver<LinkState>,
    _until: DropGuard,
}

impl Roll {
    pub(super) fn new(
        (store, edges, engines): (Store, Edges, Nodes),
        credentials: Credentials,
        admit: watch::Sender<Arc<Admitted>>,
        states: watch::Sender<Arc<NodeStates>>,
    ) -> Self {
        let (called, moved) = (BTreeMap::new(), Arc::default());
        Self { store, edges, engines, credentials, admit, states, called, moved }
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
            let moved = self.moved.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = commits.changed() => {}
                () = moved.notified() => {}
                Ok(()) = there.changed() => {}
                Ok(()) = work.changed() => {}
            }
        }
    }

    /// Lets in and calls those who are on record, and nobody else.
    fn keep_to(&mut self, nodes: &[Node], stop: &CancellationToken) {
        let names: BTreeSet<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        let keys = |node: &Node| Keys::These([node.key.as_str().to_owned()].into());
        let admitted = nodes.iter().map(|node| (node.name.clone(), keys(node))).collect();
        let admitted = Arc::new(Admitted(admitted));
        self.admit.send_if_modified(|before| {
            let news = **before != *admitted;
            *before = admitted;
            news
        });
        self.edges.keep(&names);
        self.called.retain(|name, _| names.contains(name));
        for node in nodes {
            match self.called.get(&node.name) {
                Some(called) => {
                    called.address.send_if_modified(|before| {
                        std::mem::replace(before, node.address) != node.address
                    });
                }
                None => drop(self.called.insert(node.name.clone(), self.begin(node, stop))),
            }
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

    fn begin(&self, node: &Node, stop: &CancellationToken) -> Called {
        let (address, reached) = watch::channel(node.address);
        let (link, keeper) = Link::new(node.name.clone(), reached, self.credentials.clone());
        let until = stop.child_token();
        let (mut state, moved) = (link.state(), self.moved.clone());
        tokio::spawn(keeper.run(until.clone()));
        self.engines.attend(node.name.clone(), link.clone(), until.clone());
        tokio::spawn(async move {
            while state.changed().await.is_ok() {
                moved.notify_one();
            }
        });
        Called { address, state: link.state(), _until: until.drop_guard() }
    }

    fn publish(&self) {
        let serving = self.edges.serving();
        let states = self.called.iter().map(|(name, called)| {
            let serves = serving.get(name).copied().flatten();
            let work = self.engines.work(name);
            let state = match called.state.borrow().clone() {
                LinkState::Up { since, version } => {
                    NodeState { up: Some(since), down: None, version, serves, work }
                }
                LinkState::Down { since, why } => {
                    NodeState { up: None, down: Some((since, why)), version: None, serves, work }
                }
            };
            (name.clone(), state)
        });
        let states = Arc::new(NodeStates(states.collect()));
        self.states.send_if_modified(|before| {
            let news = **before != *states;
            *before = states;
            news
        });
    }
}
