//! What control must ask of the outside before it asks an authority: what the world's DNS says, and
//! how far the edge is.

use std::{net::IpAddr, sync::Arc};

use tokio::sync::watch;

use crate::{
    dns::{Lookup, LookupError},
    model::PublicNames,
    node::Edges,
};

/// The world's DNS, and the edge.
#[derive(Clone)]
pub struct World {
    /// Asks the world's resolvers.
    pub lookup: Lookup,
    /// The edges, which present proofs wherever an authority asks.
    pub edges: Edges,
    /// What DNS servers of ours are to answer from.
    pub names: watch::Receiver<Arc<PublicNames>>,
}

/// Why a name has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// There is no such name, or nothing of the kind at it.
    Nothing,
    /// It could not be asked for: why, in words.
    Failed(String),
}

impl World {
    /// The addresses of a name.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        self.lookup.addresses(name).await.map_err(Unresolved::from)
    }

    /// What a name is an alias of.
    pub(super) async fn alias(&self, name: &str) -> Result<String, Unresolved> {
        self.lookup.alias(name).await.map_err(Unresolved::from)
    }

    /// The TXT records of a name, each in one piece.
    pub(super) async fn texts(&self, name: &str) -> Result<Vec<String>, Unresolved> {
        self.lookup.texts(name).await.map_err(Unresolved::from)
    }

    /// Waits until every edge presents at least this generation of certificates.
    pub(super) async fn presented(&self, generation: u64) {
        let mut changes = self.edges.changes();
        loop {
            let presented = self.edges.traffic().presented;
            if presented.is_some_and(|presented| presented >= generation)
                || changes.changed().await.is_err()
            {
                return;
            }
        }
    }

    /// Waits until the DNS servers of all nodes answer by what is published now: an authority asks any of them.
    pub(super) async fn answered(&self) {
        let (mut told, mut names) = (self.edges.changes(), self.names.clone());
        while !self.edges.answer(names.borrow_and_update().serial) {
            tokio::select! {
                heard = told.changed() => if heard.is_err() { return },
                Ok(()) = names.changed() => {}
            }
        }
    }
}

impl From<LookupError> for Unresolved {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NoSuchName | LookupError::NoData => Self::Nothing,
            LookupError::Failed(why) => Self::Failed(why),
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}
