//! What is settled before anything is built: the group, its plan, and what extensions asked for.
//!
//! It can be carried to an agent in another build image, which then goes on without asking any
//! buildpack again. Invariant: the group is looked up anew there; a carried name is only a name.

use serde::{Deserialize, Serialize};

use super::catalog::{Catalog, Installed};
use crate::agent::{BuildpackRef, Code, Detection, Failed, Phase};
use crate::packages::PackageSets;
use crate::spec::{BuildpackId, Element, Entry};

/// Everything that a build needs to know of its detection.
#[derive(Debug)]
pub(super) struct Settled {
    /// The buildpacks, in order.
    pub(super) group: Vec<Installed>,
    /// The extensions that took part.
    pub(super) extensions: Vec<BuildpackRef>,
    /// What buildpacks provide for each other; its places are those of the group.
    pub(super) entries: Vec<Entry>,
    /// What the extensions want to have installed.
    pub(super) packages: PackageSets,
}

/// The same by names.
#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    group: Vec<BuildpackRef>,
    extensions: Vec<BuildpackRef>,
    entries: Vec<Entry>,
    packages: PackageSets,
}

impl Settled {
    /// For the agent in the next build image.
    pub(super) fn carry(self) -> Result<Detection, Failed> {
        let carried = Carried {
            group: self.group.iter().map(Installed::reference).collect(),
            extensions: self.extensions,
            entries: self.entries,
            packages: self.packages,
        };
        Ok(Detection(serde_json::to_value(carried).map_err(lost)?))
    }

    /// What an earlier agent carried here.
    pub(super) fn open(carried: &Detection, catalog: &Catalog) -> Result<Self, Failed> {
        let carried: Carried = serde_json::from_value(carried.0.clone()).map_err(lost)?;
        let find = |own: BuildpackRef| {
            let id = BuildpackId::parse(&own.id).map_err(lost)?;
            catalog.find(&Element::new(id, Some(own.version))).cloned()
        };
        Ok(Self {
            group: carried.group.into_iter().map(find).collect::<Result<_, _>>()?,
            extensions: carried.extensions,
            entries: carried.entries,
            packages: carried.packages,
        })
    }
}

fn lost(error: impl std::fmt::Display) -> Failed {
    let reason = format!("what was detected cannot be carried into another image: {error}");
    Failed::new(Code::Detect, Phase::Detect, reason)
}
