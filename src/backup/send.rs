//! From a folder, or from a machine that has one, to the place, in one stream: tar, zstd, age, the place.

use std::{io::Write, sync::atomic::Ordering};

use zstd::stream::write::Encoder;

use super::{
    BackupError, Watch,
    age::{Recipient, Sealer, encrypt},
    metered::{Counted, Digested},
    place::Place,
};
use crate::model::ByteSize;

/// What became of it.
pub(super) struct Sent {
    /// Bytes of the tar.
    pub(super) bytes: ByteSize,
    /// Bytes at the place.
    pub(super) stored: ByteSize,
    /// Their digest.
    pub(super) sha256: String,
}

/// Sends the tar that somebody writes, of about `expected` bytes, to the place under that name.
pub(super) fn send(
    (pack, expected): (impl FnOnce(&mut dyn Write) -> Result<(), BackupError>, ByteSize),
    key: &Recipient,
    (place, name): (&Place, &str),
    mut watch: Watch<'_>,
) -> Result<Sent, BackupError> {
    let failed =
        |source| BackupError::Place { operation: "written", name: name.to_owned(), source };
    let object = Digested::new(place.create(name, expected.0)?);
    let broken = object.broken();
    let sealed = encrypt(key, object).map_err(failed)?;
    let packed = Encoder::new(sealed, LEVEL).map_err(failed)?;
    let stop = watch.stop;
    let mut counted = Counted::new(packed, &mut watch);
    if let Err(error) = pack(&mut counted) {
        return Err(match error {
            _ if stop.load(Ordering::Relaxed) => BackupError::Stopped,
            // What could not be packed could not be sent.
            BackupError::Entry { source, .. } if broken.load(Ordering::Relaxed) => failed(source),
            error => error,
        });
    }
    let (packed, bytes) = counted.into_inner();
    let object = packed.finish().and_then(Sealer::finish).map_err(failed)?;
    let (object, stored, sha256) = object.into_inner();
    object.finish().map_err(failed)?;
    Ok(Sent { bytes, stored, sha256 })
}

/// Of zstd: its own default, which a disk keeps up with.
const LEVEL: i32 = 3;
