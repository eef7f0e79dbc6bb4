//! From the place to a folder, in one stream; at its end it is known whether all of it is what was stored.

use std::{
    io::{self, Read},
    path::Path,
    sync::atomic::Ordering,
};

use zstd::stream::read::Decoder;

use super::{
    BackupError, Watch,
    age::{AgeError, Identity, Opener, decrypt},
    metered::{Counted, Digested},
    place::Place,
    unpack::unpack,
};
use crate::model::{Backup, ByteSize};

/// Unpacks what stands at the place under that name, and that `backup` describes, into the empty `folder`.
pub(super) fn receive(
    (place, name): (&Place, &str),
    backup: &Backup,
    keys: &[Identity],
    (folder, reserve): (&Path, ByteSize),
    mut watch: Watch<'_>,
) -> Result<(), BackupError> {
    let mut object = Digested::new(place.stream(name)?);
    let (broken, stop) = (object.broken(), watch.stop);
    let unpacked = decrypted(&mut object, backup, keys)
        .and_then(|plain| unpacked(plain, (folder, reserve), &mut watch));
    match unpacked {
        Err(_) if stop.load(Ordering::Relaxed) => return Err(BackupError::Stopped),
        Err(BackupError::Damaged { reason }) if broken.load(Ordering::Relaxed) => {
            let (name, source) = (name.to_owned(), io::Error::other(reason));
            return Err(BackupError::Place { operation: "read", name, source });
        }
        unpacked => unpacked?,
    }
    let (_, stored, sha256) = object.into_inner();
    if (stored, &sha256) != (backup.stored, &backup.sha256) {
        let reason = "its bytes are others than those that were stored".to_owned();
        return Err(BackupError::Damaged { reason });
    }
    Ok(())
}

fn decrypted<R: Read>(
    object: R,
    backup: &Backup,
    keys: &[Identity],
) -> Result<Opener<R>, BackupError> {
    decrypt(object, keys).map_err(|error| match error {
        AgeError::Key => BackupError::Key { key: backup.key.clone() },
        error => BackupError::damaged(error),
    })
}

/// Unpacks it, and reads on to its end: only there age says that nothing is missing.
fn unpacked(
    plain: impl Read,
    (folder, reserve): (&Path, ByteSize),
    watch: &mut Watch<'_>,
) -> Result<(), BackupError> {
    let plain = Decoder::new(plain).map_err(BackupError::damaged)?;
    let mut rest = unpack(Counted::new(plain, watch), folder, reserve)?;
    io::copy(&mut rest, &mut io::sink()).map_err(BackupError::damaged)?;
    Ok(())
}
