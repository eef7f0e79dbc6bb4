//! `[secrets]` of a `paas.toml`: what an app needs of its secrets. Values never stand there.

use std::collections::BTreeSet;

use super::{ManifestError, section::Section};
use crate::model::EnvKey;

/// `[secrets]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestSecrets {
    /// Without these there is no deploy.
    pub required: BTreeSet<EnvKey>,
    /// These are made once, of random bytes, if nobody has set them.
    pub generate: BTreeSet<EnvKey>,
}

/// Reads the section.
pub(super) fn secrets(mut section: Section<'_>) -> Result<ManifestSecrets, ManifestError> {
    let secrets = ManifestSecrets {
        required: section.list("required")?.into_iter().collect(),
        generate: section.list("generate")?.into_iter().collect(),
    };
    section.finish()?;
    Ok(secrets)
}
