//! From the place to a folder, or to a machine that has one, in one stream; at its end it is known whether all of it
//! is what was stored.

use std::{
    io::{self, Read},
    sync::atomic::Ordering,
};

use zstd::stream::read::Decoder;

use super::{
    BackupError, Watch,
    age::{AgeError, Identity, Opener, decrypt},
    metered::{Counted, Digested},
    place::Place,
};
use crate::model::Backup;

/// Has somebody `take` the tar that stands at the place under that name, and that `backup` describes.
pub(super) fn receive(
    (place, name): (&Place, &str),
    backup: &Backup,
    keys: &[Identity],
    take: impl FnOnce(&mut dyn Read) -> Result<(), BackupError>,
    mut watch: Watch<'_>,
) -> Result<(), BackupError> {
    let mut object = Digested::new(place.stream(name)?);
    let (broken, stop) = (object.broken(), watch.stop);
    let unpacked =
        decrypted(&mut object, backup, keys).and_then(|plain| unpacked(plain, take, &mut watch));
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

/// Has it taken, to its end: only there age says that nothing is missing.
fn unpacked(
    plain: impl Read,
    take: impl FnOnce(&mut dyn Read) -> Result<(), BackupError>,
    watch: &mut Watch<'_>,
) -> Result<(), BackupError> {
    let plain = Decoder::new(plain).map_err(BackupError::damaged)?;
    let mut tar = Counted::new(plain, watch);
    take(&mut tar)?;
    io::copy(&mut tar, &mut io::sink()).map_err(BackupError::damaged)?;
    Ok(())
}
