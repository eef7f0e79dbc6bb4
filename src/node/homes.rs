//! The homes of volumes, for whoever leads: this machine's own steward, and those of nodes, over the link.

use std::collections::BTreeSet;

use super::{
    fleet::Nodes,
    steward::{Act, Acted, Lading, Of, Parcel, Pieces, Room, Steward, StewardError},
};
use crate::{
    engine::{Engine, EngineError},
    model::{ImageId, NodeName},
    volumes::VolumeFolders,
};

/// Wherever volumes are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Homes<E> {
    steward: Steward<E>,
    nodes: Nodes,
}

/// Why something was not done to a volume.
#[derive(Debug, thiserror::Error)]
pub enum HomesError {
    /// On this machine.
    #[error(transparent)]
    Here(#[from] StewardError),
    /// On a node, or on the way to it.
    #[error(transparent)]
    There(#[from] EngineError),
}

impl HomesError {
    /// Whether a node is not reached, so that nothing is known of what it does.
    pub fn is_away(&self) -> bool {
        let Self::There(error) = self else { return false };
        matches!(error, EngineError::Unreachable { .. } | EngineError::Timeout { .. })
    }
}

/// Whether a machine has images that are needed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stocked {
    /// It has.
    Yes,
    /// They are on their way.
    NotYet,
    /// It does not get them, and this is why.
    Never(String),
}

impl<E: Engine> Homes<E> {
    /// Those of this steward's machine and of these nodes.
    pub fn new(steward: Steward<E>, nodes: Nodes) -> Self {
        Self { steward, nodes }
    }

    /// Those of this steward's machine, which is alone.
    #[cfg(test)]
    pub(crate) fn here(steward: Steward<E>) -> Self {
        let nobody = tokio::sync::watch::channel(std::sync::Arc::default()).1;
        Self::new(steward, Nodes::new(tokio_util::sync::CancellationToken::new(), nobody))
    }

    /// Where this machine's own lie.
    pub fn folders(&self) -> &VolumeFolders {
        self.steward.folders()
    }

    /// Does something to a volume: at a node, or at this machine.
    pub async fn act(
        &self,
        node: Option<&NodeName>,
        of: Of<'_>,
        act: Act,
    ) -> Result<Acted, HomesError> {
        let Some(node) = node else { return Ok(self.steward.act(of, act).await?) };
        if matches!(act, Act::Swap(_) | Act::IsFree) {
            // Whom this machine was about to have started there is there by then; nobody else will be.
            drop(self.folders().turn().write().await);
        }
        Ok(self.nodes.act(node, of, act).await?)
    }

    /// Whether whoever is started at a node, or at this machine, finds these images there.
    pub fn stocked(&self, node: Option<&NodeName>, images: &BTreeSet<ImageId>) -> Stocked {
        self.nodes.stocked(node, images)
    }

    /// Has what is in a volume sent.
    pub async fn give(
        &self,
        node: Option<&NodeName>,
        of: Of<'_>,
        parcel: Parcel,
    ) -> Result<Lading, HomesError> {
        Ok(match node {
            Some(node) => self.nodes.give(node, of, parcel).await?,
            None => self.steward.give(of, parcel).await?,
        })
    }

    /// Has what is to be in a volume taken in. Until it is whole nothing changes there.
    pub async fn take(
        &self,
        node: Option<&NodeName>,
        of: Of<'_>,
        room: Room,
        pieces: Pieces,
    ) -> Result<(), HomesError> {
        match node {
            Some(node) => self.nodes.take(node, of, room, pieces).await?,
            None => self.steward.take(of, room, pieces).await?,
        }
        Ok(())
    }
}
