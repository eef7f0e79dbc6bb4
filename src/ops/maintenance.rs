//! Tell visitors that an app is being worked on, or serve them again.

use crate::{
    model::{Actor, App, AppName, EventKind, Maintenance, Timestamp},
    ops::{Refusal, create::existing},
    store::{Transaction, diary},
};

/// Shows `message` to every visitor instead of serving them. It holds until [`off`], over deploys
/// and rollbacks.
pub fn on(
    tx: &mut Transaction<'_>,
    name: &AppName,
    message: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    let message = message.trim();
    let message = if message.is_empty() { DEFAULT } else { message };
    if message.len() > LONGEST {
        return Err(Refusal::invalid(
            format!("maintenance of {name}"),
            format!("the message is {} bytes long, the limit is {LONGEST}", message.len()),
        ));
    }
    let since = app.maintenance.as_ref().map_or(now, |already| already.since);
    let maintenance = Some(Maintenance { message: message.to_owned(), since });
    if app.maintenance != maintenance {
        app.maintenance = maintenance;
        app.generation += 1;
        tx.put(&app)?;
        let text = format!("maintenance is on: {message}");
        diary::write(tx, name, EventKind::Maintenance, text, by, now)?;
    }
    Ok(app)
}

/// Serves visitors again.
pub fn off(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    if app.maintenance.take().is_some() {
        app.generation += 1;
        tx.put(&app)?;
        let text = "maintenance is off".to_owned();
        diary::write(tx, name, EventKind::Maintenance, text, by, now)?;
    }
    Ok(app)
}

/// What visitors read where nobody wrote anything for them.
const DEFAULT: &str = "It is being worked on and will be back shortly.";
/// Bytes of a message: a page says one or two sentences.
const LONGEST: usize = 1000;
