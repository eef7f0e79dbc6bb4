//! The layers of an image that was pushed, uncompressed as Docker takes them, each checked against the
//! configuration. A layer that Docker has is read to its end, too, for its size and its digest, and not
//! written.
//!
//! A layer is compressed by whoever likes to: nothing about its size is believed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    sync::Arc,
};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use zstd::stream::read::Decoder;

use super::{PushedError, tree::Image};
use crate::{
    build::{BuildError, disk::Space, export::Blob, workspace::Known},
    model::{BlobDigest, ByteSize},
};

/// Where to, and how far.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// The folder of what is written; it has no name there.
    pub(super) spool: PathBuf,
    /// The most that all layers may be together.
    pub(super) limit: ByteSize,
    /// What stays free on the disk.
    pub(super) reserve: ByteSize,
    /// Ends it early.
    pub(super) stop: CancellationToken,
}

/// Layers, and the bytes of those that Docker lacks.
#[derive(Debug)]
pub(super) struct Inflated {
    pub(super) layers: Vec<Known>,
    pub(super) blobs: Vec<Blob>,
}

/// Inflates all layers of an image whose uncompressed digests are to be `diff_ids`; the `known` lowest
/// are not kept. It blocks.
pub(super) fn inflate(
    image: &Image,
    diff_ids: &[String],
    known: usize,
    bounds: &Bounds,
) -> Result<Inflated, BuildError> {
    let mut inflated = Inflated { layers: Vec::new(), blobs: Vec::new() };
    let mut left = bounds.limit.0;
    for (at, (digest, diff_id)) in image.parts.layers.iter().zip(diff_ids).enumerate() {
        let spooled = (at >= known).then(|| tempfile::tempfile_in(&bounds.spool)).transpose();
        let spooled = spooled.map_err(BuildError::prepare)?;
        let mut out = Out { file: spooled, hash: Sha256::new(), size: 0 };
        let blob = image.blob(digest).map_err(PushedError::Read)?;
        pour(opened(blob, digest)?, &mut out, (digest, left), bounds)?;
        left -= out.size;
        let found = format!("sha256:{}", hex::encode(out.hash.finalize()));
        if found != *diff_id {
            return Err(PushedError::Another { blob: digest.clone() }.into());
        }
        let layer = Known { diff_id: found, size: out.size };
        if let Some(file) = out.file {
            inflated.blobs.push(Blob { known: layer.clone(), file: Arc::new(file) });
        }
        inflated.layers.push(layer);
    }
    Ok(inflated)
}

/// A layer without its compression, which its first bytes tell.
fn opened(blob: File, digest: &BlobDigest) -> Result<Box<dyn Read>, PushedError> {
    let damaged = |source| PushedError::Damaged { blob: digest.clone(), source };
    let mut blob = BufReader::with_capacity(PIECE, blob);
    let begin = blob.fill_buf().map_err(PushedError::Read)?;
    if begin.starts_with(&GZIP) {
        Ok(Box::new(MultiGzDecoder::new(blob)))
    } else if begin.starts_with(&ZSTD) {
        Ok(Box::new(Decoder::with_buffer(blob).map_err(damaged)?))
    } else {
        Ok(Box::new(blob))
    }
}

fn pour(
    mut layer: Box<dyn Read>,
    out: &mut Out,
    (digest, most): (&BlobDigest, u64),
    bounds: &Bounds,
) -> Result<(), BuildError> {
    let damaged = |source| PushedError::Damaged { blob: digest.clone(), source };
    let mut piece = vec![0; PIECE];
    loop {
        let count = layer.read(&mut piece).map_err(damaged)?;
        if count == 0 {
            return Ok(());
        }
        if out.size + count as u64 > most {
            return Err(PushedError::Large { limit: bounds.limit }.into());
        }
        if bounds.stop.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let space = Space::of(&bounds.spool).filter(|space| space.is_low(bounds.reserve));
        if let Some(Space { free, .. }) = space {
            return Err(BuildError::DiskLow { free: ByteSize(free), reserve: bounds.reserve });
        }
        out.put(piece.get(..count).unwrap_or_default()).map_err(BuildError::prepare)?;
    }
}

/// What has come out of a layer.
struct Out {
    file: Option<File>,
    hash: Sha256,
    size: u64,
}

impl Out {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const PIECE: usize = 256 << 10;
