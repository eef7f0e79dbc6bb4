//! Have what is in a volume backed up now. Control does it.

use crate::{
    model::{Actor, AppName, NodeName, Timestamp, Volume, VolumeName},
    ops::{
        Refusal,
        snapshot::{idle, no_deploy},
    },
    store::{Transaction, backups},
};

/// Asks for a backup.
pub fn backup(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    (here, by): (&NodeName, &Actor),
    now: Timestamp,
) -> Result<Volume, Refusal> {
    let volume = idle(tx, (app, name), here)?;
    no_deploy(tx, app, name)?;
    Ok(backups::begin(tx, volume, by, now)?)
}
