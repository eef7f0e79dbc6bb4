//! Volumes, as an engine knows them: a folder that an instance has, and who is there.

use std::{collections::BTreeSet, path::PathBuf};

use crate::model::{ContainerId, MountPath, VolumeName};

/// A volume, as an instance is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Which of the app's.
    pub volume: VolumeName,
    /// The folder of this machine that has its bytes.
    pub folder: PathBuf,
    /// Where it appears.
    pub path: MountPath,
}

/// Whoever has a volume and is alive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeUsers {
    /// They may write to it.
    pub running: BTreeSet<ContainerId>,
    /// They stand still, whoever made them to.
    pub paused: BTreeSet<ContainerId>,
}
