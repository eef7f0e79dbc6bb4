//! Where instances can be started.

use std::collections::BTreeSet;

use crate::model::{ByteSize, ImageId, NodeName};

/// A machine that instances can be started on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Which node; `None` for this machine.
    pub node: Option<NodeName>,
    /// The images that it has; `None` where every image is.
    pub images: Option<BTreeSet<ImageId>>,
    /// Those that it lacks and does not get in any time that is worth waiting for.
    pub wanting: BTreeSet<ImageId>,
    /// How much memory it has in all; `None` while that is not known.
    pub memory: Option<ByteSize>,
}

impl Seat {
    /// This machine.
    pub fn here() -> Self {
        let memory = machine_memory();
        Self { node: None, images: None, wanting: BTreeSet::new(), memory }
    }

    /// Whether an instance of that image can be started there now.
    pub fn has(&self, image: &ImageId) -> bool {
        self.images.as_ref().is_none_or(|images| images.contains(image))
    }
}

/// How much memory this machine has in all, as the kernel says in `/proc/meminfo` (proc(5)).
pub fn machine_memory() -> Option<ByteSize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(ByteSize(kib.checked_mul(1024)?))
}
