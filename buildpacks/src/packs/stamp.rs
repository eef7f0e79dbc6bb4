//! Layers that are made once for a key, such as a lock file's hash, and kept while it stays.
//!
//! Invariant: the stamp in the layer is removed first and written last, so that a build which
//! failed half-way leaves a layer that nobody takes for a whole one, whatever its metadata says.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{BuildContext, PackError};
use crate::spec::Types;

/// What a layer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// A key of parts; their boundaries count.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hex::encode(hash.finalize()))
    }

    /// The key as text, for layers that look after themselves.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// How a layer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Kept,
    Anew,
}

#[derive(Serialize)]
struct Notes<'a> {
    key: &'a str,
}

/// Makes the layer unless the last build left it for the same key.
pub(crate) fn stamped(
    context: &BuildContext,
    layer: &str,
    types: Types,
    key: &Key,
    make: impl FnOnce(&Path) -> Result<(), PackError>,
) -> Result<(PathBuf, Made), PackError> {
    let path = context.layer(layer);
    let stamp = path.join(".stamp");
    let noted = context.remembered(layer).and_then(|it| Some(it.get("key")?.as_str()?.to_owned()));
    let whole = fs::read_to_string(&stamp).is_ok_and(|text| text == key.0);
    let outcome = if whole && noted.as_ref() == Some(&key.0) {
        Made::Kept
    } else {
        make(&context.fresh(layer)?)?;
        fs::write(&stamp, &key.0).map_err(PackError::io(&stamp))?;
        Made::Anew
    };
    context.declare(layer, types, &Notes { key: &key.0 })?;
    Ok((path, outcome))
}
