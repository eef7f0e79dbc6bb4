//! What an instance is to be: all that an engine needs to know to start it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Disk;
use crate::model::{
    AppName, Config, EnvKey, ImageId, Incarnation, MountPath, NodeName, OpenSecrets, Process,
    SecretValue, Secrets, Slot,
};

/// All that defines an instance. Its container's name follows from app, slot, incarnation and attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// Whose.
    pub app: AppName,
    /// Which place it fills.
    pub slot: Slot,
    /// What it is an instance of.
    pub incarnation: Incarnation,
    /// How many there were before it in this slot of this incarnation.
    pub attempt: u32,
    /// The node that it is to be on; `None` for this machine.
    #[serde(skip)]
    pub node: Option<NodeName>,
    /// What it runs.
    pub image: ImageId,
    /// How it is run: entry point, port, stop, limits.
    pub process: Process,
    /// Its environment, without what the platform adds (`PORT`, `PAAS_*`) and without secrets.
    pub environment: Config,
    /// Its secrets, by version: another version is another instance.
    pub secrets: Secrets,
    /// What it finds as files, and which variable or secret each is made of.
    pub files: BTreeMap<MountPath, EnvKey>,
    /// How secrets and files reach it, which is said only just before it is started.
    #[serde(skip)]
    pub handed: Option<Handed>,
    /// Its secrets, in the open, if another machine is to hand them over; said then too.
    #[serde(skip)]
    pub sent: OpenSecrets,
    /// Where its volumes lie, said then too.
    #[serde(skip)]
    pub disks: Vec<Disk>,
}

/// What an instance is handed at its start, so that no description of its container has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// A folder of this machine, in memory, with the file [`Handed::FILE`].
    pub folder: PathBuf,
    /// The program that reads the file and becomes what the instance runs.
    pub program: PathBuf,
    /// More files of this machine, in memory, and where the instance finds each.
    pub files: Vec<(PathBuf, MountPath)>,
}

impl Handed {
    /// `NAME=value` and a zero byte for each variable.
    pub const FILE: &str = "environment";
}

impl InstanceSpec {
    /// What tells this instance from all others of the installation: `shop.web.1.v12.0.3`.
    pub fn place(&self) -> String {
        place(&self.app, &self.slot, self.incarnation, self.attempt)
    }

    /// What is in its files, if these are its secrets. One whose variable is not set is left out.
    pub fn contents<'a>(&'a self, secrets: &'a OpenSecrets) -> Vec<(&'a MountPath, &'a str)> {
        let value = |name| {
            let open = self.environment.get(name).map(String::as_str);
            secrets.get(name).map(SecretValue::expose).or(open)
        };
        self.files.iter().filter_map(|(path, name)| Some((path, value(name)?))).collect()
    }
}

/// See [`InstanceSpec::place`].
pub fn place(app: &AppName, slot: &Slot, incarnation: Incarnation, attempt: u32) -> String {
    let (release, restart) = (incarnation.release, incarnation.restart);
    format!("{app}.{}.{}.{release}.{restart}.{attempt}", slot.process, slot.index)
}
