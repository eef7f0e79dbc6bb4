//! The diary: events, written in the transaction of what they tell of, the oldest dropped. What is routine
//! has a room of its own, so that a day of sessions does not push out why a deploy failed.

use crate::{
    model::{
        Actor, AppName, Event, EventKind, Timestamp,
        event::{EVENTS_KEPT, ROUTINE_KEPT},
    },
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
    let earlier = tx.latest::<Event>(app.as_str(), EVENTS_KEPT + ROUTINE_KEPT + 1)?;
    let number = earlier.first().map_or(1, |event| event.number + 1);
    tx.put(&Event { number, at, app: app.clone(), kind, text, by: by.clone() })?;
    let room = if kind.is_routine() { ROUTINE_KEPT } else { EVENTS_KEPT };
    let alike = earlier.iter().filter(|event| event.kind.is_routine() == kind.is_routine());
    for surplus in alike.skip(room - 1) {
        tx.delete::<Event>(&(app.as_str().to_owned(), surplus.number))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreOptions, records};

    #[tokio::test]
    async fn what_is_routine_pushes_nothing_else_out() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let app: AppName = "shop".parse().unwrap();
        let of = app.clone();
        let now = Timestamp::default();
        let written = store.transact(move |tx| {
            let by = Actor::platform();
            write(tx, &of, EventKind::Release, "v1".to_owned(), &by, now)?;
            for number in 0..ROUTINE_KEPT + 50 {
                write(tx, &of, EventKind::Session, format!("exec {number}"), &by, now)?;
            }
            (0..EVENTS_KEPT).try_for_each(|number| {
                write(tx, &of, EventKind::Rollout, format!("rollout {number}"), &by, now)
            })
        });
        written.await.unwrap();
        let kept = store.snapshot().latest::<Event>(app.as_str(), 1000).unwrap();
        let of_kind = |kind| kept.iter().filter(|event| event.kind == kind).count();
        assert_eq!(of_kind(EventKind::Session), ROUTINE_KEPT);
        assert_eq!((of_kind(EventKind::Rollout), of_kind(EventKind::Release)), (EVENTS_KEPT, 0));
        assert!(kept.iter().any(|event| event.text == "exec 149"), "the newest stay");
    }
}
