//! What an app's own files say of it: `paas.toml`, and the words of its `Procfile`.
//!
//! The tree is a stranger's: no link is followed, and no file is read beyond its limit.

use std::{
    io::{self, Read},
    path::Path,
};

use super::{error::BuildError, folder::Folder, pages};
use crate::model::Manifest;

/// The files, read.
#[derive(Debug)]
pub(super) struct Declared {
    /// `paas.toml`; without one all is default.
    pub(super) manifest: Manifest,
    /// The `Procfile` as it is; empty without one. What is wrong with it is said by the buildpack that
    /// reads it.
    pub(super) procfile: String,
}

impl Declared {
    /// Of a source tree.
    pub(super) fn read(source: &Path) -> Result<Self, BuildError> {
        let folder = Folder::open(source).map_err(BuildError::prepare)?;
        let written = text(&folder, "paas.toml").map_err(BuildError::ManifestFile)?;
        let mut manifest = Manifest::default();
        if let Some(text) = written {
            manifest = Manifest::parse(&text).map_err(BuildError::Manifest)?;
            pages::read(&folder, &mut manifest)?;
        }
        let procfile = text(&folder, "Procfile").ok().flatten().unwrap_or_default();
        Ok(Self { manifest, procfile })
    }
}

/// A file of the folder, if it is there.
fn text(folder: &Folder, name: &str) -> io::Result<Option<String>> {
    let file = match folder.file(name.as_ref()) {
        Ok((file, _)) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let count = file.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if count as u64 > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(text)) }
}

const MAX_FILE: u64 = 256 << 10;
