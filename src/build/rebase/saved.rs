//! An image as Docker saves it, taken apart: its configuration and the tars of its layers.
//!
//! Docker wrote it, but what is in an image is an app's; it is unpacked as an upload is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::Deserialize;

use super::RebaseError;
use crate::{
    build::{
        folder::Folder,
        unpack::{UnpackLimits, receive},
    },
    model::ByteSize,
};

/// The parts of a saved image.
#[derive(Debug)]
pub(super) struct Saved {
    /// Its configuration, byte for byte.
    pub(super) config: Vec<u8>,
    /// The tars of its layers, lowest first, with their sizes.
    pub(super) layers: Vec<(File, u64)>,
}

/// Receives the image into the new folder `into`.
pub(super) async fn take_apart(
    image: BoxStream<'static, io::Result<Bytes>>,
    into: &Path,
) -> Result<Saved, RebaseError> {
    receive(image, into.to_owned(), None, LIMITS).await.map_err(RebaseError::Unpack)?;
    let read = || {
        let folder = Folder::open(into)?;
        let manifest: Vec<Entry> = serde_json::from_slice(&bytes(&folder, "manifest.json")?)?;
        let entry = manifest.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
        let config = bytes(&folder, &entry.config)?;
        let layers = entry.layers.iter().map(|path| open(&folder, path));
        Ok(Saved { config, layers: layers.collect::<io::Result<_>>()? })
    };
    read().map_err(RebaseError::Saved)
}

fn bytes(folder: &Folder, path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(folder, path)?.0.take(MAX_JSON).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open(folder: &Folder, path: &str) -> io::Result<(File, u64)> {
    let path = Path::new(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let (file, stat) = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => folder.below(parent)?.file(name)?,
        None => folder.file(name)?,
    };
    Ok((file, u64::try_from(stat.st_size).unwrap_or_default()))
}

/// An entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    layers: Vec<String>,
}

/// An image may be larger than an upload; it is here already.
const LIMITS: UnpackLimits = UnpackLimits {
    compressed: ByteSize(16 << 30),
    total: ByteSize(16 << 30),
    file: ByteSize(8 << 30),
    entries: 10_000,
    path: 2048,
    depth: 64,
    ratio: 200,
    extension: 64 << 10,
};
const MAX_JSON: u64 = 16 << 20;
