//! Destroy an app, and bring one back. It ends at once; for a while all else that it has is kept, with
//! its name and its domains, and then control removes that and at last the record.

use std::time::Duration;

use crate::{
    model::{Actor, App, AppName, Build, BuildStatus, EventKind, Timestamp},
    ops::{Refusal, create::existing, domain},
    store::{Transaction, View, diary},
};

/// What is left of a destroyed app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// Everything but what runs, for so long.
    KeptFor(Duration),
}

/// Marks an app to vanish, if `confirmed` repeats its name. One that is kept can be made to vanish at
/// once.
pub fn destroy(
    tx: &mut Transaction<'_>,
    name: &AppName,
    (confirmed, remains): (&str, Remains),
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = match (tx.get::<App>(&name.as_str().to_owned())?, remains) {
        (Some(kept), Remains::Nothing) if kept.is_kept(now).is_some() => kept,
        _ => existing(tx, name)?,
    };
    if confirmed != name.as_str() {
        return Err(Refusal::invalid(
            format!("app {name} was not destroyed"),
            "the confirmation does not repeat its name",
        )
        .hint(format!("paas destroy --app {name} --confirm {name}")));
    }
    if let Some(by) = &app.protected_by {
        return Err(Refusal::conflict(
            format!("app {name} was not destroyed"),
            format!("{by} has protected it"),
        )
        .hint(format!("if it really is to go: `paas apps unprotect {name}`")));
    }
    for mut build in tx.scan::<Build>(name.as_str())? {
        if !build.status.is_final() {
            build.status = BuildStatus::Cancelled;
            build.finished_at = Some(now);
            tx.put(&build)?;
        }
    }
    let text = match remains {
        Remains::Nothing => {
            domain::remove_all(tx, name)?;
            app.kept_until = None;
            format!("{name} is being destroyed")
        }
        Remains::KeptFor(time) => {
            app.kept_until = Some(now.plus(time));
            format!("{name} was destroyed, and is kept until {}", now.plus(time))
        }
    };
    app.destroyed_at.get_or_insert(now);
    app.generation += 1;
    tx.put(&app)?;
    diary::write(tx, name, EventKind::Destroyed, text, by, now)?;
    Ok(app)
}

/// Brings a destroyed app back, with all that it had: what served serves again.
pub fn undelete(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let what = || format!("app {name} was not brought back");
    let Some(mut app) = tx.get::<App>(&name.as_str().to_owned())? else {
        return Err(Refusal::not_found(what(), "nothing of it is left")
            .hint("`paas apps --destroyed` lists what can be brought back"));
    };
    if app.destroyed_at.is_none() {
        return Err(Refusal::conflict(what(), "it was not destroyed")
            .hint(format!("`paas status -a {name}` shows how it is")));
    }
    if app.is_kept(now).is_none() {
        return Err(Refusal::conflict(what(), "it is being removed for good")
            .hint("`paas apps --destroyed` lists what can be brought back"));
    }
    (app.destroyed_at, app.kept_until) = (None, None);
    app.generation += 1;
    tx.put(&app)?;
    diary::write(tx, name, EventKind::Destroyed, format!("{name} was brought back"), by, now)?;
    Ok(app)
}
