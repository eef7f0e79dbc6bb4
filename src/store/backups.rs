//! What a volume remembers of its backups, and what the diary of its app says of them.
//!
//! Invariant: what a backup came to is written together with the end of its work, so that nobody waits for
//! it any more and nothing is tried twice.

use std::time::Duration;

use crate::{
    model::{
        Actor, Backup, BackupOutcome, EventKind, Timestamp, Volume,
        snapshot::{Job, Task},
    },
    store::{StoreError, Transaction, diary},
};

/// Has a backup made of what is in a volume now.
pub fn begin(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    by: &Actor,
    now: Timestamp,
) -> Result<Volume, StoreError> {
    volume.job = Some(Job { task: Task::Backup { at: now }, by: by.clone() });
    volume.failure = None;
    tx.put(&volume)?;
    Ok(volume)
}

/// Notes that one was made, which is told with `more`.
pub fn made(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    backup: &Backup,
    more: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    volume.job = None;
    volume.backups.last = Some(BackupOutcome { at: now, result: Ok(backup.number) });
    (volume.backups.failures, volume.backups.again_at) = (0, None);
    tx.put(&volume)?;
    let (number, name, stored) = (backup.number, &volume.name, backup.stored);
    let text = format!("the backup {number} of the volume {name} was made: {stored}{more}");
    diary::write(tx, &volume.app, EventKind::Volume, text, &backup.by, now)
}

/// Notes that none was made. One that the schedule wanted is tried some times more, and people are told.
pub fn failed(
    tx: &mut Transaction<'_>,
    mut volume: Volume,
    by: &Actor,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    volume.job = None;
    volume.failure = Some(why.to_owned());
    volume.backups.last = Some(BackupOutcome { at: now, result: Err(why.to_owned()) });
    let by_schedule = *by == Actor::platform();
    let mut then = String::new();
    if by_schedule {
        let failures = usize::try_from(volume.backups.failures).unwrap_or(usize::MAX);
        let pause = PAUSES.get(failures);
        volume.backups.failures = volume.backups.failures.saturating_add(1);
        volume.backups.again_at = pause.map(|pause| now.plus(*pause));
        then = match pause {
            Some(pause) => format!("; it is tried again in {} minutes", pause.as_secs() / 60),
            None => "; it is tried again when its schedule says so".to_owned(),
        };
    }
    let text = format!("the volume {} was not backed up: {why}{then}", volume.name);
    let kind = if by_schedule { EventKind::Alert } else { EventKind::Volume };
    tx.put(&volume)?;
    diary::write(tx, &volume.app, kind, text, by, now)
}

/// Before each attempt after a failed one, of the same time of the schedule.
const PAUSES: [Duration; 3] =
    [Duration::from_mins(5), Duration::from_mins(15), Duration::from_hours(1)];
