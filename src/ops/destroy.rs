//! Destroy an app. The record stays until control has removed what the app left behind.

use crate::{
    model::{Actor, AppName, Build, BuildStatus, EventKind, Timestamp},
    ops::{Refusal, create::existing, domain},
    store::{Transaction, View, diary},
};

/// Marks an app to vanish, if `confirmed` repeats its name.
pub fn destroy(
    tx: &mut Transaction<'_>,
    name: &AppName,
    confirmed: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Refusal> {
    let mut app = existing(tx, name)?;
    if confirmed != name.as_str() {
        return Err(Refusal::invalid(
            format!("app {name} was not destroyed"),
            "the confirmation does not repeat its name",
        )
        .hint(format!("paas destroy --app {name} --confirm {name}")));
    }
    for mut build in tx.scan::<Build>(name.as_str())? {
        if !build.status.is_final() {
            build.status = BuildStatus::Cancelled;
            build.finished_at = Some(now);
            tx.put(&build)?;
        }
    }
    domain::remove_all(tx, name)?;
    app.destroyed_at = Some(now);
    app.generation += 1;
    tx.put(&app)?;
    diary::write(tx, name, EventKind::Destroyed, format!("{name} is being destroyed"), by, now)?;
    Ok(())
}
