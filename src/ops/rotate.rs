//! Give the installation a new sealing key, and seal with it all that is on record.
//!
//! Not one transaction but many, and safe to be cut: from the first step on both keys open, and a daemon
//! that starts with two keys goes on where the last one was (see [`settle`]).

use crate::{
    faults,
    model::{Actor, App, EventKind, Timestamp},
    ops::Refusal,
    store::{SealingKey, SealingKeyError, Store, StoreError, View, diary, reseal::reseal},
    telemetry::chain,
};

/// Makes the key and seals everything with it; answers how many records that were. The old key goes
/// with the next start of the daemon: until then something that is being sealed may need it.
pub async fn rotate(
    store: &Store,
    sealing: &SealingKey,
    by: &Actor,
    now: Timestamp,
) -> Result<usize, Refusal> {
    sealing.replace().map_err(|error| refusal(&error))?;
    faults::point("sealing.replaced");
    let records = reseal(store, sealing).await?;
    faults::point("sealing.resealed");
    let by = by.clone();
    store
        .transact(move |tx| {
            for app in tx.scan::<App>(&())? {
                if !app.secrets.is_empty() {
                    let text = "The sealing key was rotated; secrets stay as they are".to_owned();
                    diary::write(tx, &app.name, EventKind::Config, text, &by, now)?;
                }
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(records)
}

/// Ends a rotation, for a daemon that starts: whatever is not under the present key is sealed anew, and
/// then the keys before it are forgotten. What goes wrong is tried again at the next start.
pub async fn settle(store: &Store, sealing: &SealingKey) {
    if !sealing.has_old() {
        return;
    }
    match reseal(store, sealing).await {
        Ok(records) => tracing::info!(records, "all that is sealed is under the present key"),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "old sealing keys are still needed");
            return;
        }
    }
    match sealing.forget_old() {
        Ok(()) => {}
        Err(SealingKeyError::Credential) => {
            tracing::warn!(
                "the credential's other lines are not needed: nothing is sealed with them"
            );
        }
        Err(error) => tracing::warn!(error = %chain(&error), "an old sealing key stays"),
    }
}

fn refusal(error: &SealingKeyError) -> Refusal {
    let what = "rotation of the sealing key";
    match error {
        SealingKeyError::Credential => Refusal::conflict(what, error.to_string())
            .hint("put a new key before it, on a line of its own, and restart paas: docs/operations.md, \"The sealing key\""),
        SealingKeyError::File { .. } | SealingKeyError::Format { .. } => {
            Refusal::unavailable(what, chain(error))
        }
    }
}
