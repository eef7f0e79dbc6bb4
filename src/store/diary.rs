//! The diary: events, written in the transaction of what they tell of, the oldest dropped.

use crate::{
    model::{Actor, AppName, Event, EventKind, Timestamp, event::EVENTS_KEPT},
    store::{StoreError, Transaction, View},
};

/// Adds an event to an app's diary.
pub fn write(
    tx: &mut Transaction<'_>,
    app: &AppName,
    kind: EventKind,
    text: String,
    by: &Actor,
    at: Timestamp,
) -> Result<(), StoreError> {
    let last = tx.latest::<Event>(app.as_str(), 1)?;
    let number = last.first().map_or(1, |event| event.number + 1);
    tx.put(&Event { number, at, app: app.clone(), kind, text, by: by.clone() })?;
    if let Some(surplus) = number.checked_sub(EVENTS_KEPT as u64) {
        tx.delete::<Event>(&(app.as_str().to_owned(), surplus))?;
    }
    Ok(())
}
