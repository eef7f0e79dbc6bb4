//! Where instances can be started.

use std::collections::BTreeSet;

use crate::model::{ImageId, NodeName};

/// A machine that instances can be started on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Which node; `None` for this machine.
    pub node: Option<NodeName>,
    /// The images that it has; `None` where every image is.
    pub images: Option<BTreeSet<ImageId>>,
    /// Those that it lacks and does not get in any time that is worth waiting for.
    pub wanting: BTreeSet<ImageId>,
}

impl Seat {
    /// This machine.
    pub fn here() -> Self {
        Self { node: None, images: None, wanting: BTreeSet::new() }
    }

    /// Whether an instance of that image can be started there now.
    pub fn has(&self, image: &ImageId) -> bool {
        self.images.as_ref().is_none_or(|images| images.contains(image))
    }
}
