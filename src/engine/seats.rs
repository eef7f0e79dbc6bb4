//! Where instances can be started.

use std::collections::BTreeSet;

use super::MachineMemory;
use crate::model::{ByteSize, ImageId, NodeName};

/// A machine that instances can be started on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Which node; `None` for this machine.
    pub node: Option<NodeName>,
    /// The images that it has; `None` where every image is.
    pub images: Option<BTreeSet<ImageId>>,
    /// Those that it lacks and does not get in any time that is worth waiting for. Nobody else is sent one that this
    /// machine lacks.
    pub wanting: BTreeSet<ImageId>,
    /// How much memory it has in all; `None` while that is not known.
    pub memory: Option<ByteSize>,
}

/// The images that machines are to have, and which of them nobody can be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supply {
    /// For whoever runs instances.
    pub wanted: BTreeSet<ImageId>,
    /// Besides, for whoever may lead next: what serves, and what would after a rollback.
    pub spare: BTreeSet<ImageId>,
    /// Those of both that are not on this machine.
    pub lacking: BTreeSet<ImageId>,
}

impl Seat {
    /// This machine.
    pub fn here() -> Self {
        let memory = MachineMemory::now().map(|memory| memory.all);
        Self { node: None, images: None, wanting: BTreeSet::new(), memory }
    }

    /// Whether an instance of that image can be started there now.
    pub fn has(&self, image: &ImageId) -> bool {
        self.images.as_ref().is_none_or(|images| images.contains(image))
    }
}
