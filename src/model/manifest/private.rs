//! `[private]` of a `paas.toml`: who finds the app by its private names.

use super::{ManifestError, section::Section};
use crate::model::PrivateSettings;

/// Reads the section.
pub(super) fn private(mut section: Section<'_>) -> Result<PrivateSettings, ManifestError> {
    let private = PrivateSettings {
        allow: section.list("allow")?.into_iter().collect(),
        only: section.flag("only")?.unwrap_or_default(),
    };
    section.finish()?;
    Ok(private)
}
