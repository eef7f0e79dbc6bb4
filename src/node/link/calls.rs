//! Links to many nodes: each is kept up for as long as it is wanted, and closed then.

use std::{collections::BTreeMap, mem::replace, net::SocketAddr, sync::Arc};

use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Credentials, Link, Target};
use crate::model::NodeName;

/// The links. All of them are closed when it is dropped.
#[derive(Debug)]
pub struct Calls {
    credentials: Credentials,
    called: BTreeMap<NodeName, Called>,
    moved: Arc<Notify>,
}

/// A node that is called, until this is dropped.
#[derive(Debug)]
struct Called {
    link: Link,
    target: watch::Sender<Target>,
    _until: DropGuard,
}

impl Calls {
    /// Nobody is called yet.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, called: BTreeMap::new(), moved: Arc::default() }
    }

    /// Calls these, until `stop` says so, and nobody else. Returns the links that are new, each with what
    /// says that it is closed.
    pub fn keep_to(
        &mut self,
        nodes: &BTreeMap<NodeName, SocketAddr>,
        stop: &CancellationToken,
    ) -> Vec<(Link, CancellationToken)> {
        self.called.retain(|name, _| nodes.contains_key(name));
        let mut begun = Vec::new();
        for (name, at) in nodes {
            let target = Target { name: name.clone(), at: *at };
            if let Some(called) = self.called.get(name) {
                called.target.send_if_modified(|before| replace(before, target.clone()) != target);
            } else {
                let until = stop.child_token();
                let called = self.begin(target, until.clone());
                begun.push((called.link.clone(), until));
                self.called.insert(name.clone(), called);
            }
        }
        begun
    }

    /// All of them, by name.
    pub fn links(&self) -> impl Iterator<Item = (&NodeName, &Link)> {
        self.called.iter().map(|(name, called)| (name, &called.link))
    }

    /// Ends when one of them has come up or gone down.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }

    fn begin(&self, target: Target, until: CancellationToken) -> Called {
        let (target, called) = watch::channel(target);
        let (link, keeper) = Link::new(called, self.credentials.clone());
        let (mut state, moved) = (link.state(), self.moved.clone());
        tokio::spawn(keeper.run(until.clone()));
        tokio::spawn(async move {
            while state.changed().await.is_ok() {
                moved.notify_one();
            }
        });
        Called { link, target, _until: until.drop_guard() }
    }
}
